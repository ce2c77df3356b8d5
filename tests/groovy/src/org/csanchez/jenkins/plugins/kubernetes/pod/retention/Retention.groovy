// What happens to an agent's pod after use. Instances of one class are equal and print as the UI shows them.
package org.csanchez.jenkins.plugins.kubernetes.pod.retention

abstract class PodRetention implements Serializable {
    static PodRetention getKubernetesCloudDefault() { new Never() }
    static PodRetention getPodTemplateDefault() { new Default() }
    @Override boolean equals(Object other) { other != null && other.class == this.class }
    @Override int hashCode() { this.class.hashCode() }
    @Override String toString() { this.class.simpleName }
}

class Always extends PodRetention { }

class Default extends PodRetention { }

class Never extends PodRetention { }

class OnFailure extends PodRetention {
    @Override String toString() { 'On Failure' }
}
