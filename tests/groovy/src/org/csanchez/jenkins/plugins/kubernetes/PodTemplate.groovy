// A pod template. The order of the fields is the order in config.xml; the setters normalise
// as the plugin does (an empty text, a default mode, volume or retention are stored as null).
package org.csanchez.jenkins.plugins.kubernetes

import static hudson.Util.fixEmpty
import static hudson.Util.fixEmptyAndTrim

import groovy.transform.CompileStatic
import hudson.model.Label
import hudson.model.Node
import hudson.model.TaskListener
import hudson.model.labels.LabelAtom
import hudson.util.XStream2
import io.fabric8.kubernetes.api.model.Pod
import io.fabric8.kubernetes.client.utils.Serialization
import java.security.MessageDigest
import org.csanchez.jenkins.plugins.kubernetes.model.TemplateEnvVar
import org.csanchez.jenkins.plugins.kubernetes.pod.retention.PodRetention
import org.csanchez.jenkins.plugins.kubernetes.pod.yaml.YamlMergeStrategy
import org.csanchez.jenkins.plugins.kubernetes.volumes.PodVolume
import org.csanchez.jenkins.plugins.kubernetes.volumes.workspace.WorkspaceVolume
import standin.Only
import standin.Version

@CompileStatic
class PodTemplate extends FirstContainer implements Serializable {
    static final Integer DEFAULT_SLAVE_JENKINS_CONNECTION_TIMEOUT = Version.OLDER ? 100 : 1000

    private String id
    String inheritFrom
    String name
    String namespace
    // Written, though long delegated to the first container: old files hold them.
    private boolean privileged
    private Long runAsUser
    private Long runAsGroup
    String supplementalGroups
    boolean capOnlyOnAlivePods
    private boolean alwaysPullImage
    int instanceCap = Integer.MAX_VALUE
    private int slaveConnectTimeout = DEFAULT_SLAVE_JENKINS_CONNECTION_TIMEOUT
    int idleMinutes
    int activeDeadlineSeconds
    String label
    private transient Set<LabelAtom> labelSet
    private transient Map<String, String> labelsMap
    String serviceAccount
    @Only('4238')
    String schedulerName
    String nodeSelector
    private Node.Mode nodeUsageMode
    private Boolean hostNetwork
    private WorkspaceVolume workspaceVolume
    private final List<PodVolume> volumes = []
    List<ContainerTemplate> containers = []
    List<TemplateEnvVar> envVars = []
    List<PodAnnotation> annotations = []
    List<PodImagePullSecret> imagePullSecrets = []
    private PodTemplateToolLocation nodeProperties
    Long terminationGracePeriodSeconds
    String yaml
    private transient List<String> yamls
    YamlMergeStrategy yamlMergeStrategy = Version.OLDER ? YamlMergeStrategy.defaultStrategy() : null
    @Only('4238')
    private Boolean inheritYamlMergeStrategy
    private Boolean showRawYaml
    private transient TaskListener listener
    private PodRetention podRetention

    PodTemplate() { this((String) null) }

    PodTemplate(String id) {
        this.id = fixEmpty(id) ?: UUID.randomUUID().toString()
        deriveFromLabel()
    }

    PodTemplate(PodTemplate from) {
        XStream2.copy(from, this)
        yamls = from.yamls
        listener = from.listener
        deriveFromLabel()
    }

    PodTemplate(String image, List<? extends PodVolume> volumes) {
        this()
        this.volumes.addAll(volumes)
        if (image != null) {
            containers.add(new ContainerTemplate(null, image))
        }
    }

    /** What a file does not hold is null after loading, whatever the field starts with. */
    protected Object readResolve() {
        containers = containers ?: new ArrayList<ContainerTemplate>()
        envVars = envVars ?: new ArrayList<TemplateEnvVar>()
        annotations = annotations ?: new ArrayList<PodAnnotation>()
        imagePullSecrets = imagePullSecrets ?: new ArrayList<PodImagePullSecret>()
        if (Version.OLDER && yamlMergeStrategy == null) {
            yamlMergeStrategy = YamlMergeStrategy.defaultStrategy()
        }
        deriveFromLabel()
        this
    }

    private void deriveFromLabel() {
        labelSet = Label.parse(label)
        String shown = label ? sanitize(label) : 'slave-default'
        labelsMap = Collections.unmodifiableMap(['jenkins/label-digest': label ? sha1(label) : '0', 'jenkins/label': shown])
    }

    private static String sha1(String text) { MessageDigest.getInstance('SHA-1').digest(text.getBytes('UTF-8')).encodeHex() }

    /** A Kubernetes label value: the last 63 characters, the alphabet, a letter or digit at both ends. */
    private static String sanitize(String text) {
        text.substring(Math.max(0, text.length() - 63)).replaceAll('[^_.a-zA-Z0-9-]', '_')
            .replaceFirst('^[^a-zA-Z0-9]', 'x').replaceFirst('[^a-zA-Z0-9]$', 'x')
    }

    String getDisplayName() { 'Kubernetes Pod Template' }
    String getId() { id }
    void setInheritFrom(String value) { inheritFrom = fixEmptyAndTrim(value) }
    void setName(String value) { name = fixEmptyAndTrim(value) }
    void setNamespace(String value) { namespace = fixEmptyAndTrim(value) }

    void setLabel(String value) {
        label = fixEmptyAndTrim(value)
        deriveFromLabel()
    }

    Set<LabelAtom> getLabelSet() { labelSet }
    Map<String, String> getLabelsMap() { labelsMap }

    void setServiceAccount(String value) { serviceAccount = fixEmpty(value) }
    void setSchedulerName(String value) { schedulerName = fixEmpty(value) }
    void setNodeSelector(String value) { nodeSelector = fixEmptyAndTrim(value) }
    void setSupplementalGroups(String value) { supplementalGroups = fixEmpty(value) }

    String getRunAsUser() { runAsUser?.toString() }
    Long getRunAsUserAsLong() { runAsUser }
    void setRunAsUser(String value) { runAsUser = value ? Long.valueOf(value) : null }
    String getRunAsGroup() { runAsGroup?.toString() }
    Long getRunAsGroupAsLong() { runAsGroup }
    void setRunAsGroup(String value) { runAsGroup = value ? Long.valueOf(value) : null }

    void setInstanceCap(int value) { instanceCap = value < 0 ? Integer.MAX_VALUE : value }
    String getInstanceCapStr() { instanceCap == Integer.MAX_VALUE ? '' : String.valueOf(instanceCap) }
    void setInstanceCapStr(String value) { setInstanceCap(number(value, Integer.MAX_VALUE)) }
    int getSlaveConnectTimeout() { slaveConnectTimeout ?: DEFAULT_SLAVE_JENKINS_CONNECTION_TIMEOUT }
    void setSlaveConnectTimeout(int value) { slaveConnectTimeout = value <= 0 ? DEFAULT_SLAVE_JENKINS_CONNECTION_TIMEOUT : value }
    String getSlaveConnectTimeoutStr() { String.valueOf(slaveConnectTimeout) }
    void setSlaveConnectTimeoutStr(String value) { setSlaveConnectTimeout(number(value, DEFAULT_SLAVE_JENKINS_CONNECTION_TIMEOUT)) }
    String getIdleMinutesStr() { idleMinutes == 0 ? '' : String.valueOf(idleMinutes) }
    void setIdleMinutesStr(String value) { idleMinutes = number(value, 0) }
    String getActiveDeadlineSecondsStr() { activeDeadlineSeconds == 0 ? '' : String.valueOf(activeDeadlineSeconds) }
    void setActiveDeadlineSecondsStr(String value) { activeDeadlineSeconds = number(value, 0) }

    Node.Mode getNodeUsageMode() { nodeUsageMode ?: Node.Mode.EXCLUSIVE }
    void setNodeUsageMode(Node.Mode value) { nodeUsageMode = value == Node.Mode.EXCLUSIVE ? null : value }
    void setNodeUsageMode(String value) { setNodeUsageMode(Node.Mode.valueOf(value)) }
    boolean isHostNetwork() { hostNetwork != null && hostNetwork }
    boolean isHostNetworkSet() { hostNetwork != null }
    void setHostNetwork(Boolean value) { hostNetwork = value }
    boolean isShowRawYaml() { showRawYaml == null || showRawYaml }
    void setShowRawYaml(boolean value) { showRawYaml = value }
    WorkspaceVolume getWorkspaceVolume() { workspaceVolume ?: WorkspaceVolume.getDefault() }
    void setWorkspaceVolume(WorkspaceVolume value) { workspaceVolume = value == WorkspaceVolume.getDefault() ? null : value }
    PodRetention getPodRetention() { podRetention ?: PodRetention.podTemplateDefault }
    void setPodRetention(PodRetention value) { podRetention = value == PodRetention.podTemplateDefault ? null : value }

    List<PodVolume> getVolumes() { volumes == null ? Collections.<PodVolume>emptyList() : volumes }
    void setVolumes(List<PodVolume> values) { refill(volumes, values) }
    void setContainers(List<ContainerTemplate> values) { refill(containers, values) }
    void addEnvVars(List<TemplateEnvVar> values) { envVars.addAll(values) }
    void setEnvVars(List<TemplateEnvVar> values) { refill(envVars, values) }
    void addAnnotations(List<PodAnnotation> values) { annotations.addAll(values) }
    void setAnnotations(List<PodAnnotation> values) { annotations = new ArrayList<PodAnnotation>(values) }
    void addImagePullSecrets(List<PodImagePullSecret> values) { imagePullSecrets.addAll(values) }
    void setImagePullSecrets(List<PodImagePullSecret> values) { refill(imagePullSecrets, values) }
    PodTemplateToolLocation getNodeProperties() { nodeProperties ?: new PodTemplateToolLocation() }

    private static int number(String text, int blank) { text?.trim() ? Integer.parseInt(text) : blank }

    private static <T> void refill(List<T> list, List<T> values) {
        list.clear()
        list.addAll(values)
    }

    void setYaml(String value) { yaml = fixEmpty(value) }
    List<String> getYamls() { yamls ?: yaml ? [yaml] : Collections.<String>emptyList() }
    void setYamls(List<String> values) { yamls = values.findAll { it } }

    boolean isInheritYamlMergeStrategy() { inheritYamlMergeStrategy != null && inheritYamlMergeStrategy }
    void setInheritYamlMergeStrategy(boolean value) { inheritYamlMergeStrategy = value }
    @Only('4238') YamlMergeStrategy getResolvedYamlMergeStrategy() { yamlMergeStrategy ?: YamlMergeStrategy.defaultStrategy() }

    /** Of one piece of YAML; merging several belongs to whoever runs agents. */
    Pod getYamlsPod() { getYamls() ? Serialization.unmarshal(getYamls().last(), Pod) : null }

    TaskListener getListener() { listener ?: TaskListener.NULL }
    void setListener(TaskListener value) { listener = value }
    @Only('4238') TaskListener getListenerOrNull() { listener }
}
