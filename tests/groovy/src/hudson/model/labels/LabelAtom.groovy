package hudson.model.labels

import groovy.transform.CompileStatic
import hudson.model.Label

@CompileStatic
class LabelAtom extends Label implements Comparable<LabelAtom> {
    LabelAtom(String name) { super(name) }
    @Override boolean matches(Collection<LabelAtom> labels) { labels.any { it.name == name } }
    @Override int compareTo(LabelAtom other) { name <=> other.name }
    @Override boolean equals(Object other) { other instanceof LabelAtom && other.name == name }
    @Override int hashCode() { name.hashCode() }
}
