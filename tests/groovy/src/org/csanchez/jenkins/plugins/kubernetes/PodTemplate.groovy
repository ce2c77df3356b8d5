// A pod template. The order of the fields is the order in config.xml; the setters normalise as the plugin does (an
// empty text, a default mode, volume or retention are stored as null). Templates know no equality but identity.
package org.csanchez.jenkins.plugins.kubernetes

import io.fabric8.kubernetes.api.model.Pod
import io.fabric8.kubernetes.client.utils.Serialization
import java.security.MessageDigest

class PodTemplate implements Serializable {
    private static final List<String> LISTS = ['volumes', 'containers', 'envVars', 'annotations', 'imagePullSecrets']
    static final Integer DEFAULT_SLAVE_JENKINS_CONNECTION_TIMEOUT = Version.OLDER ? 100 : 1000

    final String id
    @FixEmptyAndTrim String inheritFrom, name, namespace
    @Deprecated @FirstContainer final String image
    @Deprecated @FirstContainer boolean privileged
    @LongAsText private Long runAsUser, runAsGroup
    @FixEmpty String supplementalGroups
    boolean capOnlyOnAlivePods
    @Deprecated @FirstContainer boolean alwaysPullImage
    @Deprecated @FirstContainer String command, args
    @Deprecated private String remoteFs
    @Str(Integer.MAX_VALUE) int instanceCap = Integer.MAX_VALUE
    @Str(0) int slaveConnectTimeout = DEFAULT_SLAVE_JENKINS_CONNECTION_TIMEOUT
    @Str(0) int idleMinutes, activeDeadlineSeconds
    @FixEmptyAndTrim String label
    @FixEmpty String serviceAccount
    @Only('4238') @FixEmpty String schedulerName
    @FixEmptyAndTrim String nodeSelector
    Node.Mode nodeUsageMode
    @Deprecated @FirstContainer String resourceRequestCpu, resourceRequestMemory, resourceLimitCpu, resourceLimitMemory
    private Boolean hostNetwork
    WorkspaceVolume workspaceVolume
    @Refill List<PodVolume> volumes = []
    @Refill List<ContainerTemplate> containers = []
    @Refill List<TemplateEnvVar> envVars = []
    List<PodAnnotation> annotations = []
    @Refill List<PodImagePullSecret> imagePullSecrets = []
    private PodTemplateToolLocation nodeProperties
    Long terminationGracePeriodSeconds
    @FixEmpty String yaml
    private transient List<String> yamls
    YamlMergeStrategy yamlMergeStrategy = Version.OLDER ? new Overrides() : null
    @Only('4238') private Boolean inheritYamlMergeStrategy
    private Boolean showRawYaml
    private transient TaskListener listener
    PodRetention podRetention

    PodTemplate() { this((String) null) }
    @DataBound PodTemplate(String id) { this.id = Util.fixEmpty(id) ?: UUID.randomUUID().toString() }
    PodTemplate(PodTemplate from) {
        XStream2.copy(from, this)
        yamls = from.@yamls
        listener = from.@listener
    }
    PodTemplate(String image, List<? extends PodVolume> volumes) {
        this()
        this.volumes.addAll(volumes)
        containers.addAll(image == null ? [] : [new ContainerTemplate(image)])
    }
    /** What a file does not hold is null after loading, whatever the field starts with. */
    protected Object readResolve() {
        LISTS.each { this.@"$it" = this.@"$it" ?: [] }
        yamlMergeStrategy = yamlMergeStrategy ?: (Version.OLDER ? new Overrides() : null)
        this
    }
    /** Without any container the deprecated properties have nothing to tell, and what they are set to is lost. */
    private ContainerTemplate firstContainer() { containers[0] ?: new ContainerTemplate(null, null, null, null) }
    String getRemoteFs() { firstContainer().workingDir ?: ContainerTemplate.DEFAULT_WORKING_DIR }
    void setRemoteFs(String value) { firstContainer().workingDir = value }

    String getDisplayName() { 'Kubernetes Pod Template' }
    Set<LabelAtom> getLabelSet() { Label.parse(label) }
    Map<String, String> getLabelsMap() {
        String digest = label ? MessageDigest.getInstance('SHA-1').digest(label.getBytes('UTF-8')).encodeHex() : '0'
        ['jenkins/label-digest': digest, 'jenkins/label': label ? sanitize(label) : 'slave-default'].asImmutable()
    }
    /** A Kubernetes label value: the last 63 characters, the alphabet, a letter or digit at both ends. */
    private static String sanitize(String text) {
        text.substring(Math.max(0, text.length() - 63)).replaceAll('[^_.a-zA-Z0-9-]', '_')
            .replaceFirst('^[^a-zA-Z0-9]', 'x').replaceFirst('[^a-zA-Z0-9]$', 'x')
    }

    void setInstanceCap(int value) { instanceCap = value < 0 ? Integer.MAX_VALUE : value }
    int getSlaveConnectTimeout() { slaveConnectTimeout ?: DEFAULT_SLAVE_JENKINS_CONNECTION_TIMEOUT }
    void setSlaveConnectTimeout(int n) { slaveConnectTimeout = n > 0 ? n : DEFAULT_SLAVE_JENKINS_CONNECTION_TIMEOUT }

    Node.Mode getNodeUsageMode() { nodeUsageMode ?: Node.Mode.EXCLUSIVE }
    void setNodeUsageMode(Node.Mode value) { nodeUsageMode = value == Node.Mode.EXCLUSIVE ? null : value }
    void setNodeUsageMode(String value) { setNodeUsageMode(Node.Mode.valueOf(value)) }
    boolean isHostNetwork() { hostNetwork ?: false }
    boolean isHostNetworkSet() { hostNetwork != null }
    void setHostNetwork(Boolean value) { hostNetwork = value }
    boolean isShowRawYaml() { showRawYaml == null || showRawYaml }
    void setShowRawYaml(boolean value) { showRawYaml = value }
    WorkspaceVolume getWorkspaceVolume() { workspaceVolume ?: WorkspaceVolume.default }
    void setWorkspaceVolume(WorkspaceVolume set) { workspaceVolume = set == WorkspaceVolume.default ? null : set }
    PodRetention getPodRetention() { podRetention ?: PodRetention.podTemplateDefault }
    void setPodRetention(PodRetention value) { podRetention = value == PodRetention.podTemplateDefault ? null : value }

    void setAnnotations(List<PodAnnotation> values) { annotations = new ArrayList<PodAnnotation>(values) }
    void addEnvVars(List<TemplateEnvVar> values) { envVars.addAll(values) }
    void addAnnotations(List<PodAnnotation> values) { annotations.addAll(values) }
    void addImagePullSecrets(List<PodImagePullSecret> values) { imagePullSecrets.addAll(values) }
    PodTemplateToolLocation getNodeProperties() { nodeProperties ?: new PodTemplateToolLocation() }
    void setNodeProperties(List values) { nodeProperties = values as PodTemplateToolLocation }

    List<String> getYamls() { yamls ?: yaml ? [yaml] : [] }
    void setYamls(List<String> values) { yamls = values.findAll() }
    /** Of one piece of YAML; merging several belongs to whoever runs agents. */
    Pod getYamlsPod() { getYamls() ? Serialization.unmarshal(getYamls().last(), Pod) : null }
    @Only('4238') boolean isInheritYamlMergeStrategy() { inheritYamlMergeStrategy ?: false }
    @Only('4238') void setInheritYamlMergeStrategy(boolean value) { inheritYamlMergeStrategy = value }
    @Only('4238') YamlMergeStrategy getResolvedYamlMergeStrategy() { yamlMergeStrategy ?: new Overrides() }
    TaskListener getListener() { listener ?: TaskListener.NULL }
    void setListener(TaskListener value) { listener = value }
    @Only('4238') TaskListener getListenerOrNull() { listener }
    /** Saves nothing: that is for whoever holds the cloud. */
    void save() { }
}
