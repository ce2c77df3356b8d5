// The template's deprecated properties, which read and write its first container and are lost without one.
package org.csanchez.jenkins.plugins.kubernetes

abstract class FirstContainer {
    abstract List<ContainerTemplate> getContainers()

    private ContainerTemplate first() { containers ? containers[0] : null }
    String getImage() { first()?.image }
    String getCommand() { first()?.command }
    void setCommand(String value) { first()?.command = value }
    String getArgs() { first()?.args }
    void setArgs(String value) { first()?.args = value }
    String getRemoteFs() { first()?.workingDir ?: ContainerTemplate.DEFAULT_WORKING_DIR }
    void setRemoteFs(String value) { first()?.workingDir = value }
    boolean isPrivileged() { first() != null && first().privileged }
    void setPrivileged(boolean value) { first()?.privileged = value }
    boolean isAlwaysPullImage() { first() != null && first().alwaysPullImage }
    void setAlwaysPullImage(boolean value) { first()?.alwaysPullImage = value }
    String getResourceRequestCpu() { first()?.resourceRequestCpu }
    void setResourceRequestCpu(String value) { first()?.resourceRequestCpu = value }
    String getResourceRequestMemory() { first()?.resourceRequestMemory }
    void setResourceRequestMemory(String value) { first()?.resourceRequestMemory = value }
    String getResourceLimitCpu() { first()?.resourceLimitCpu }
    void setResourceLimitCpu(String value) { first()?.resourceLimitCpu = value }
    String getResourceLimitMemory() { first()?.resourceLimitMemory }
    void setResourceLimitMemory(String value) { first()?.resourceLimitMemory = value }
}
