// Environment variables of containers and pods.
package org.csanchez.jenkins.plugins.kubernetes.model

@EqualsAndHashCode abstract class TemplateEnvVar implements Serializable {
    @DataBound TemplateEnvVar(String key) { }
}
@EqualsAndHashCode(callSuper = true) class KeyValueEnvVar extends TemplateEnvVar {
    @DataBound KeyValueEnvVar(String key, String value) { super(key) }
}
@EqualsAndHashCode(callSuper = true) class SecretEnvVar extends TemplateEnvVar {
    @DataBound SecretEnvVar(String key, String secretName, String secretKey, Boolean optional) { super(key) }
}
