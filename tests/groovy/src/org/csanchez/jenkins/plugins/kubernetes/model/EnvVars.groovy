// Environment variables of containers and pods.
package org.csanchez.jenkins.plugins.kubernetes.model

import groovy.transform.EqualsAndHashCode

@EqualsAndHashCode
abstract class TemplateEnvVar implements Serializable {
    String key

    TemplateEnvVar(String key) { this.key = key }
}

@EqualsAndHashCode(callSuper = true)
class KeyValueEnvVar extends TemplateEnvVar {
    String value

    KeyValueEnvVar(String key, String value) {
        super(key)
        this.value = value
    }

    @Override String toString() { "KeyValueEnvVar [getValue()=$value, getKey()=$key]" }
}

@EqualsAndHashCode(callSuper = true)
class SecretEnvVar extends TemplateEnvVar {
    String secretName
    String secretKey
    Boolean optional

    SecretEnvVar(String key, String secretName, String secretKey, Boolean optional) {
        super(key)
        this.secretName = secretName
        this.secretKey = secretKey
        this.optional = optional
    }

    @Override String toString() { "SecretEnvVar [secretName=$secretName, secretKey=$secretKey, getKey()=$key, optional=$optional]" }
}
