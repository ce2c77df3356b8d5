// Containers, the small values that clouds and templates hold, and agents. The order of fields is that in config.xml.
package org.csanchez.jenkins.plugins.kubernetes

@EqualsAndHashCode(includeFields = true) class ContainerTemplate implements Serializable {
    static final String DEFAULT_WORKING_DIR = '/home/jenkins/agent'
    String name, image
    boolean privileged
    @LongAsText private Long runAsUser, runAsGroup
    boolean alwaysPullImage
    @FixEmpty String workingDir, command, args
    boolean ttyEnabled
    @FixEmpty String resourceRequestCpu, resourceRequestMemory, resourceRequestEphemeralStorage
    @FixEmpty String resourceLimitCpu, resourceLimitMemory, resourceLimitEphemeralStorage, shell
    private final List<TemplateEnvVar> envVars = []
    List<PortMapping> ports = []
    ContainerLivenessProbe livenessProbe
    ContainerTemplate(String name, String image, String command, String args) {
        this(name, image)
        this.command = command
        this.args = args
    }
    @DataBound ContainerTemplate(String name, String image) { command = args = Version.OLDER ? null : '' }
    ContainerTemplate(String image) { this(null, image) }
    ContainerTemplate(ContainerTemplate from) { XStream2.copy(from, this) }
    String getDisplayName() { 'Container Pod Template' }
    Map<String, Object> getAsArgs() { [name: name, shell: shell].findAll { it.key == 'name' || it.value } }
    List<PortMapping> getPorts() { ports ?: [] }
    List<TemplateEnvVar> getEnvVars() { envVars ?: [] }
    /** Adds, as the plugin's own setter does. */
    void setEnvVars(List<TemplateEnvVar> values) { envVars.addAll(values) }
}
/** Equal when the keys are: the plugin merges annotations by key. */
@EqualsAndHashCode(includes = 'key') class PodAnnotation implements Serializable {
    @DataBound PodAnnotation(String key, String value) { }
}
@EqualsAndHashCode class PodImagePullSecret implements Serializable {
    @DataBound PodImagePullSecret(String name) { }
}
@EqualsAndHashCode class PodLabel implements Serializable {
    @DataBound PodLabel(String key, String value) { }
    @Override String toString() { "PodLabel($key = \"$value\")" }
}
@InheritConstructors(constructorAnnotations = true) class ContainerEnvVar extends KeyValueEnvVar { }
@InheritConstructors(constructorAnnotations = true) class PodEnvVar extends KeyValueEnvVar { }
@EqualsAndHashCode class PortMapping implements Serializable {
    Integer hostPort
    @DataBound PortMapping(String name, Integer containerPort) { }
    PortMapping(String name, Integer containerPort, Integer hostPort) {
        this(name, containerPort)
        this.hostPort = hostPort
    }
}
@EqualsAndHashCode class ContainerLivenessProbe implements Serializable {
    @DataBound ContainerLivenessProbe(String execArgs, int timeoutSeconds, int initialDelaySeconds,
                                                 int failureThreshold, int periodSeconds, int successThreshold) { }
}
@Only('4238') @EqualsAndHashCode class GarbageCollection implements Serializable {
    String namespaces
    int timeout = 300
}
/** Tool locations: always empty here. */
class PodTemplateToolLocation extends ArrayList<Object> { }
/** Whoever runs an agent keeps it below HOME/nodes/NAME, with a file `busy` beside it while a build holds it. */
class KubernetesSlave extends Node {
    final String cloudName, templateId
    KubernetesSlave(String name, PodTemplate template, String nodeDescription, String cloudName, String labels) {
        super(name, nodeDescription, template.remoteFs, template.nodeUsageMode, labels)
        this.cloudName = cloudName
        templateId = template.id
    }
    KubernetesCloud getKubernetesCloud() { (KubernetesCloud) Jenkins.get().getCloud(cloudName) }
    PodTemplate getTemplate() {
        PodTemplate found = kubernetesCloud?.getTemplateById(templateId)
        if (!found) { throw new IllegalStateException('Unable to resolve pod template from id') }
        found
    }
}
