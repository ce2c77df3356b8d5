// A Kubernetes cloud and its templates. The order of the fields is the order in config.xml.
package org.csanchez.jenkins.plugins.kubernetes

/** Its templates count when it is compared: in a set or as a key it is lost once they change. */
@EqualsAndHashCode(includeFields = true) class KubernetesCloud extends Cloud {
    String defaultsProviderTemplate
    List<PodTemplate> templates = []
    String serverUrl
    boolean useJenkinsProxy
    @FixEmpty String serverCertificate
    boolean skipTlsVerify, addMasterProxyEnvVars, capOnlyOnAlivePods
    @FixEmpty String namespace
    @Only('4238') String jnlpregistry
    @Only('4238') boolean restrictedPssSecurityContext
    boolean webSocket, directConnection
    @FixEmptyAndTrim String jenkinsUrl
    @FixEmpty String jenkinsTunnel, credentialsId
    @Str(Integer.MAX_VALUE) private Integer containerCap
    int retentionTimeout = 5, connectTimeout = 5, readTimeout = 15
    List<PodLabel> podLabels = []
    boolean usageRestricted
    @Str(-1) int maxRequestsPerHost = 32
    Integer waitForPodSec = 600
    PodRetention podRetention = PodRetention.kubernetesCloudDefault
    @Only('4238') GarbageCollection garbageCollection

    @DataBound KubernetesCloud(String name) { super(name) }
    KubernetesCloud(String name, KubernetesCloud source) {
        super(name)
        XStream2.copy(source, this)
        this.name = name
    }
    KubernetesCloud(String name, List<? extends PodTemplate> templates, String serverUrl, String namespace,
                    String jenkinsUrl, String containerCapStr, int connectTimeout, int readTimeout,
                    int retentionTimeout) {
        this(name)
        [templates: templates, serverUrl: serverUrl, namespace: namespace, jenkinsUrl: jenkinsUrl,
         containerCapStr: containerCapStr, connectTimeout: connectTimeout, readTimeout: readTimeout,
         retentionTimeout: retentionTimeout].each { key, value -> setProperty(key, value) }
    }
    /** The live list; whoever changes it saves by himself. */
    List<PodTemplate> getTemplates() { templates }
    void setTemplates(List<PodTemplate> values) { templates = new ArrayList<PodTemplate>(values) }
    /** Those of running podTemplate steps would be here too, but no step runs in this process. */
    List<PodTemplate> getAllTemplates() { new ArrayList<PodTemplate>(templates).asImmutable() }
    void addTemplate(PodTemplate template) { templates.add(template) }
    void removeTemplate(PodTemplate template) { templates.remove(template) }
    /** The new one is the last, wherever the old one was. */
    @Only('4238') void replaceTemplate(PodTemplate from, PodTemplate to) {
        removeTemplate(from)
        addTemplate(to)
    }
    PodTemplate getTemplateById(String id) { templates.find { it.id == id } }
    @Only('4238') PodTemplate getTemplate(String id) { getTemplateById(id) }
    PodTemplate getTemplate(Label label) { getTemplatesFor(label)[0] }
    /** Without a label: those that serve builds without one. */
    List<PodTemplate> getTemplatesFor(Label label) {
        templates.findAll { label == null ? it.nodeUsageMode == Node.Mode.NORMAL : label.matches(it.labelSet) }
    }
    @Override boolean canProvision(Cloud.CloudState state) { getTemplate((Label) state.label) != null }

    String getJenkinsUrlOrNull() { (jenkinsUrl ?: Jenkins.get().rootUrl)?.replaceFirst('/*$', '/') }
    String getJenkinsUrlOrDie() { Objects.requireNonNull(jenkinsUrlOrNull, 'Jenkins URL for Kubernetes is null') }
    @Only('4238') String getPodTemplateGroupUrl() { '../../templates' }
    int getContainerCap() { containerCap ?: Integer.MAX_VALUE }
    void setContainerCap(Integer value) { containerCap = value in 1..<Integer.MAX_VALUE ? value : null }
    void setMaxRequestsPerHost(int value) { maxRequestsPerHost = value < 0 ? 32 : value }
    /** Never empty: without any, pods carry the default one. */
    List<PodLabel> getPodLabels() { podLabels ?: [new PodLabel('jenkins', 'slave')] }
    void setPodLabels(List<PodLabel> values) { podLabels = new ArrayList<PodLabel>(values ?: []) }
    Map<String, String> getLabels() { getPodLabels().collectEntries { [it.key, it.value] }.asImmutable() }
    void setLabels(Map<String, String> values) { setPodLabels(values.collect { new PodLabel(it.key, it.value) }) }
}
