// How a template's YAML meets the YAML of the templates it inherits from.
package org.csanchez.jenkins.plugins.kubernetes.pod.yaml

abstract class YamlMergeStrategy implements Serializable {
    static YamlMergeStrategy defaultStrategy() { new Overrides() }
    @Override boolean equals(Object other) { other != null && other.class == this.class }
    @Override int hashCode() { this.class.hashCode() }
}

class Merge extends YamlMergeStrategy {
    @Override String toString() { 'Merge' }
}

class Overrides extends YamlMergeStrategy {
    @Override String toString() { 'Override' }
}
