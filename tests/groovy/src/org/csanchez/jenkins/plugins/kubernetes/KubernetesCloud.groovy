// A Kubernetes cloud and its templates. The order of the fields is the order in config.xml.
package org.csanchez.jenkins.plugins.kubernetes

import static hudson.Util.fixEmpty
import static hudson.Util.fixEmptyAndTrim

import groovy.transform.CompileStatic
import groovy.transform.EqualsAndHashCode
import hudson.model.Label
import hudson.slaves.Cloud
import hudson.util.XStream2
import org.csanchez.jenkins.plugins.kubernetes.pod.retention.PodRetention
import standin.Only

@CompileStatic
@EqualsAndHashCode(includes = 'name,templates,serverUrl,namespace,jenkinsUrl,credentialsId')
class KubernetesCloud extends Cloud {
    String defaultsProviderTemplate
    private List<PodTemplate> templates = []
    String serverUrl
    boolean useJenkinsProxy
    String serverCertificate
    boolean skipTlsVerify
    boolean addMasterProxyEnvVars
    boolean capOnlyOnAlivePods
    String namespace
    @Only('4238')
    String jnlpregistry
    @Only('4238')
    boolean restrictedPssSecurityContext
    boolean webSocket
    boolean directConnection
    String jenkinsUrl
    String jenkinsTunnel
    String credentialsId
    private Integer containerCap
    int retentionTimeout = 5
    int connectTimeout = 5
    int readTimeout = 15
    private List<PodLabel> podLabels = []
    boolean usageRestricted
    int maxRequestsPerHost = 32
    Integer waitForPodSec = 600
    PodRetention podRetention = PodRetention.kubernetesCloudDefault
    @Only('4238')
    GarbageCollection garbageCollection

    KubernetesCloud(String name) { super(name) }

    KubernetesCloud(String name, KubernetesCloud source) {
        super(name)
        XStream2.copy(source, this)
        this.name = name
    }

    KubernetesCloud(String name, List<? extends PodTemplate> templates, String serverUrl, String namespace, String jenkinsUrl,
                    String containerCapStr, int connectTimeout, int readTimeout, int retentionTimeout) {
        super(name)
        this.templates.addAll(templates)
        this.serverUrl = serverUrl
        setNamespace(namespace)
        setJenkinsUrl(jenkinsUrl)
        setContainerCapStr(containerCapStr)
        this.connectTimeout = connectTimeout
        this.readTimeout = readTimeout
        this.retentionTimeout = retentionTimeout
    }

    protected Object readResolve() {
        templates = templates ?: new ArrayList<PodTemplate>()
        this
    }

    /** The live list; whoever changes it saves by himself. */
    List<PodTemplate> getTemplates() { templates }
    void setTemplates(List<PodTemplate> values) { templates = new ArrayList<PodTemplate>(values) }

    /** Those of running podTemplate steps belong here too, but no step runs in this process. */
    List<PodTemplate> getAllTemplates() { Collections.unmodifiableList(new ArrayList<PodTemplate>(templates)) }
    void addTemplate(PodTemplate template) { templates.add(template) }
    void removeTemplate(PodTemplate template) { templates.remove(template) }

    /** Takes the old one out and puts the new one last, as the plugin does. */
    @Only('4238')
    void replaceTemplate(PodTemplate from, PodTemplate to) {
        removeTemplate(from)
        addTemplate(to)
    }

    PodTemplate getTemplateById(String id) { templates.find { it.id == id } }
    PodTemplate getTemplate(Label label) { templates.find { provides(it, label) } }
    List<PodTemplate> getTemplatesFor(Label label) { templates.findAll { provides(it, label) } }

    private static boolean provides(PodTemplate template, Label label) {
        label == null ? template.nodeUsageMode.name() == 'NORMAL' : label.matches(template.labelSet)
    }

    @Override boolean canProvision(Label label) { getTemplate(label) != null }
    void setNamespace(String value) { namespace = fixEmpty(value) }
    void setServerCertificate(String value) { serverCertificate = fixEmpty(value) }
    void setCredentialsId(String value) { credentialsId = fixEmpty(value) }
    void setJenkinsUrl(String value) { jenkinsUrl = fixEmptyAndTrim(value) }
    void setJenkinsTunnel(String value) { jenkinsTunnel = fixEmpty(value) }
    int getContainerCap() { containerCap ?: Integer.MAX_VALUE }
    void setContainerCap(Integer value) { containerCap = value != null && value > 0 ? value : null }
    String getContainerCapStr() { containerCap ? String.valueOf(containerCap) : '' }
    void setContainerCapStr(String value) { setContainerCap(value ? Integer.valueOf(value) : null) }
    void setMaxRequestsPerHost(int value) { maxRequestsPerHost = value < 0 ? 32 : value }
    String getMaxRequestsPerHostStr() { String.valueOf(maxRequestsPerHost) }
    void setMaxRequestsPerHostStr(String value) { setMaxRequestsPerHost(value?.isInteger() ? value.toInteger() : 32) }

    /** Never empty: without any, pods carry the default one. */
    List<PodLabel> getPodLabels() { podLabels ?: [new PodLabel('jenkins', 'slave')] }
    void setPodLabels(List<PodLabel> values) { podLabels = values == null ? new ArrayList<PodLabel>() : new ArrayList<PodLabel>(values) }

    Map<String, String> getLabels() {
        Collections.unmodifiableMap(getPodLabels().collectEntries { [(it.key): it.value] } as Map<String, String>)
    }

    void setLabels(Map<String, String> values) { setPodLabels(values.collect { k, v -> new PodLabel(k, v) }) }
    @Override String toString() { "KubernetesCloud{name=$name, serverUrl='$serverUrl', namespace='$namespace'}" }
}
