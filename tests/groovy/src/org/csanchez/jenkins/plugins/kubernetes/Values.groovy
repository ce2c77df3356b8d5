// The small values that clouds and templates hold.
package org.csanchez.jenkins.plugins.kubernetes

import groovy.transform.EqualsAndHashCode
import org.csanchez.jenkins.plugins.kubernetes.model.KeyValueEnvVar
import standin.Only

/** Equal when the keys are: the plugin merges annotations by key. */
@EqualsAndHashCode(includes = 'key')
class PodAnnotation implements Serializable {
    String key
    String value

    PodAnnotation(String key, String value) {
        this.key = key
        this.value = value
    }

    @Override String toString() { "PodAnnotation{key='$key', value='$value'}" }
}

@EqualsAndHashCode
class PodImagePullSecret implements Serializable {
    String name

    PodImagePullSecret(String name) { this.name = name }
    @Override String toString() { "PodImagePullSecret{name='$name'}" }
}

@EqualsAndHashCode
class PodLabel implements Serializable {
    String key
    String value

    PodLabel(String key, String value) {
        this.key = key
        this.value = value
    }

    @Override String toString() { "PodLabel($key = \"$value\")" }
}

class ContainerEnvVar extends KeyValueEnvVar {
    ContainerEnvVar(String key, String value) { super(key, value) }
}

class PodEnvVar extends KeyValueEnvVar {
    PodEnvVar(String key, String value) { super(key, value) }
}

@EqualsAndHashCode
class PortMapping implements Serializable {
    String name
    Integer containerPort
    Integer hostPort

    PortMapping(String name, Integer containerPort, Integer hostPort = null) {
        this.name = name
        this.containerPort = containerPort
        this.hostPort = hostPort
    }
}

@EqualsAndHashCode
class ContainerLivenessProbe implements Serializable {
    String execArgs
    int timeoutSeconds
    int initialDelaySeconds
    int failureThreshold
    int periodSeconds
    int successThreshold

    ContainerLivenessProbe(String execArgs, int timeoutSeconds, int initialDelaySeconds,
                           int failureThreshold, int periodSeconds, int successThreshold) {
        this.execArgs = execArgs
        this.timeoutSeconds = timeoutSeconds
        this.initialDelaySeconds = initialDelaySeconds
        this.failureThreshold = failureThreshold
        this.periodSeconds = periodSeconds
        this.successThreshold = successThreshold
    }
}

/** Tool locations: always empty here. */
class PodTemplateToolLocation extends ArrayList<Object> { }

@EqualsAndHashCode
@Only('4238')
class GarbageCollection implements Serializable {
    String namespaces
    int timeout = 300
}
