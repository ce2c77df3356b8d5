// What happens to an agent's pod after use. Instances of one class are equal and print as the UI shows them.
package org.csanchez.jenkins.plugins.kubernetes.pod.retention

@EqualsAndHashCode abstract class PodRetention implements Serializable {
    static PodRetention getKubernetesCloudDefault() { new Never() }
    static PodRetention getPodTemplateDefault() { new Default() }
    @Override String toString() { this.class.simpleName }
}
@EqualsAndHashCode class Always extends PodRetention { }
@EqualsAndHashCode class Default extends PodRetention { }
@EqualsAndHashCode class Never extends PodRetention { }
@EqualsAndHashCode class OnFailure extends PodRetention { @Override String toString() { 'On Failure' } }
