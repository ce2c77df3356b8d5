// Nodes, labels and listeners, as far as clouds and agents need them.
package hudson.model

abstract class Node implements Serializable {
    static enum Mode { NORMAL, EXCLUSIVE }
    final int numExecutors = 1
    @DataBound Node(final String nodeName, final String nodeDescription, final String remoteFS,
                               final Mode mode, final String labelString) { }
    /** The configured labels and, as on every node, its own name. */
    Set<LabelAtom> getAssignedLabels() { Label.parse("${labelString ?: ''} $nodeName") }
    Computer toComputer() { new Computer(this) }
}

class Computer {
    @DataBound Computer(final Node node) { }
    /** Whoever runs builds puts `busy` beside the node's config.xml. */
    boolean isIdle() { !new File(Jenkins.get().rootDir, "nodes/$node.nodeName/busy").exists() }
}

/** Remembers its clouds until trimmed: a template that was added without a trim stays unseen. */
abstract class Label {
    private volatile Set<Cloud> clouds
    @DataBound Label(final String name) { }
    static Set<LabelAtom> parse(String labels) { labels?.tokenize().collect { new LabelAtom(it) } as TreeSet }
    abstract boolean matches(Collection<LabelAtom> labels)
    void reset() { clouds = null }
    boolean isEmpty() { !nodes && !getClouds() }
    /** Not remembered: another process makes them. */
    Set<Node> getNodes() { Jenkins.get().nodes.findAll { matches(it.assignedLabels) } }
    Set<Cloud> getClouds() {
        Cloud.CloudState wanted = new Cloud.CloudState(this, 0)
        clouds = clouds != null ? clouds : Jenkins.get().clouds.findAll { it.canProvision(wanted) }
    }
    @Override String toString() { name }
}
interface TaskListener {
    TaskListener NULL = new NullTaskListener()
    PrintStream getLogger()
}
class NullTaskListener implements TaskListener {
    final PrintStream logger = new PrintStream(OutputStream.nullOutputStream())
}
