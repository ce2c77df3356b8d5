// A container of a pod template. The order of the fields is the order in config.xml.
package org.csanchez.jenkins.plugins.kubernetes

import static hudson.Util.fixEmpty

import groovy.transform.EqualsAndHashCode
import hudson.util.XStream2
import org.csanchez.jenkins.plugins.kubernetes.model.TemplateEnvVar
import standin.Version

@EqualsAndHashCode(includeFields = true)
class ContainerTemplate implements Serializable {
    static final String DEFAULT_WORKING_DIR = '/home/jenkins/agent'

    String name
    String image
    boolean privileged
    private Long runAsUser
    private Long runAsGroup
    boolean alwaysPullImage
    String workingDir
    String command
    String args
    boolean ttyEnabled
    String resourceRequestCpu
    String resourceRequestMemory
    String resourceRequestEphemeralStorage
    String resourceLimitCpu
    String resourceLimitMemory
    String resourceLimitEphemeralStorage
    String shell
    private final List<TemplateEnvVar> envVars = []
    private List<PortMapping> ports = []
    ContainerLivenessProbe livenessProbe

    ContainerTemplate(String name, String image, String command, String args) {
        this.name = name
        this.image = image
        this.command = command
        this.args = args
    }

    ContainerTemplate(String name, String image) {
        this(name, image, Version.OLDER ? null : '', Version.OLDER ? null : '')
    }

    ContainerTemplate(String image) { this(null, image) }
    ContainerTemplate(ContainerTemplate from) { XStream2.copy(from, this) }
    String getDisplayName() { 'Container Pod Template' }
    Map<String, Object> getAsArgs() { new TreeMap<String, Object>(shell ? [name: name, shell: shell] : [name: name]) }
    void setWorkingDir(String value) { workingDir = fixEmpty(value) }
    void setCommand(String value) { command = fixEmpty(value) }
    void setArgs(String value) { args = fixEmpty(value) }
    void setShell(String value) { shell = fixEmpty(value) }
    void setResourceRequestCpu(String value) { resourceRequestCpu = fixEmpty(value) }
    void setResourceRequestMemory(String value) { resourceRequestMemory = fixEmpty(value) }
    void setResourceRequestEphemeralStorage(String value) { resourceRequestEphemeralStorage = fixEmpty(value) }
    void setResourceLimitCpu(String value) { resourceLimitCpu = fixEmpty(value) }
    void setResourceLimitMemory(String value) { resourceLimitMemory = fixEmpty(value) }
    void setResourceLimitEphemeralStorage(String value) { resourceLimitEphemeralStorage = fixEmpty(value) }
    String getRunAsUser() { runAsUser?.toString() }
    Long getRunAsUserAsLong() { runAsUser }
    void setRunAsUser(String value) { runAsUser = value ? Long.valueOf(value) : null }
    String getRunAsGroup() { runAsGroup?.toString() }
    Long getRunAsGroupAsLong() { runAsGroup }
    void setRunAsGroup(String value) { runAsGroup = value ? Long.valueOf(value) : null }
    List<TemplateEnvVar> getEnvVars() { envVars == null ? Collections.<TemplateEnvVar>emptyList() : envVars }

    /** Adds, as the plugin's own setter does. */
    void setEnvVars(List<TemplateEnvVar> values) { envVars.addAll(values) }
    List<PortMapping> getPorts() { ports == null ? Collections.<PortMapping>emptyList() : ports }
    void setPorts(List<PortMapping> values) { ports = values }
}
