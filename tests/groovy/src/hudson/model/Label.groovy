// Labels remember their clouds until trimmed: a template that was added without a trim stays unseen.
package hudson.model

import groovy.transform.CompileStatic
import hudson.model.labels.LabelAtom
import hudson.slaves.Cloud
import jenkins.model.Jenkins

@CompileStatic
abstract class Label {
    private final String name
    private volatile Set<Cloud> clouds

    protected Label(String name) { this.name = name }

    static Set<LabelAtom> parse(String labels) {
        (labels ?: '').tokenize().collect { new LabelAtom(it) } as TreeSet<LabelAtom>
    }

    String getName() { name }
    String getDisplayName() { name }
    String getExpression() { name }

    abstract boolean matches(Collection<LabelAtom> labels)

    Set<Cloud> getClouds() {
        if (clouds == null) {
            clouds = Jenkins.get().clouds.findAll { Cloud it -> it.canProvision(this) } as LinkedHashSet<Cloud>
        }
        clouds
    }

    /** Not remembered: another process makes them. */
    Set<Node> getNodes() {
        Jenkins.get().nodes.findAll { Node it -> matches(it.assignedLabels as Collection<LabelAtom>) } as LinkedHashSet<Node>
    }

    boolean isEmpty() { getNodes().empty && getClouds().empty }
    void reset() { clouds = null }
    @Override String toString() { name }
}
