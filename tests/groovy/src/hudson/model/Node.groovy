// Nodes and their computers, as far as agents need them.
package hudson.model

import groovy.transform.CompileStatic
import jenkins.model.Jenkins

@CompileStatic
abstract class Node implements Serializable {
    static enum Mode {
        NORMAL, EXCLUSIVE
    }

    private final String name
    private final String description
    private final String remoteFS
    private final int numExecutors = 1
    private final Mode mode
    private final String label

    protected Node(String name, String description, String remoteFS, Mode mode, String label) {
        this.name = name
        this.description = description
        this.remoteFS = remoteFS
        this.mode = mode
        this.label = label
    }

    String getNodeName() { name }
    String getDisplayName() { name }
    String getNodeDescription() { description }
    String getRemoteFS() { remoteFS }
    int getNumExecutors() { numExecutors }
    Mode getMode() { mode }
    String getLabelString() { label ?: '' }

    /** The configured labels and, as on every node, its own name. */
    Set<Label> getAssignedLabels() { (Label.parse(label) + Label.parse(name)) as Set<Label> }
    Computer toComputer() { createComputer() }

    abstract Computer createComputer()
}

@CompileStatic
class Computer {
    private final Node node

    Computer(Node node) { this.node = node }
    Node getNode() { node }
    String getName() { node.nodeName }
    String getDisplayName() { name }
    int getNumExecutors() { node.numExecutors }
    boolean isIdle() { !new File(Jenkins.get().rootDir, "nodes/$name/busy").exists() }
    int countBusy() { idle ? 0 : numExecutors }
    int countIdle() { numExecutors - countBusy() }
    boolean isOnline() { true }
    boolean isOffline() { !online }
}
