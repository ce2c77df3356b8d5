// How a template's YAML meets the YAML of the templates it inherits from. Two of one class are not equal: an export
// of 1.29.0, where a template always has one, shows even the default.
package org.csanchez.jenkins.plugins.kubernetes.pod.yaml

abstract class YamlMergeStrategy implements Serializable { }
class Merge extends YamlMergeStrategy { @Override String toString() { 'Merge' } }
class Overrides extends YamlMergeStrategy { @Override String toString() { 'Override' } }
