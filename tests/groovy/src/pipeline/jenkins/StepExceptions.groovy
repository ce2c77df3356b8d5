package org.jenkinsci.plugins.workflow.steps

/** A step was stopped by an abort, a timeout, a failed sibling branch or the loss of its agent. It has no message. */
@groovy.transform.TupleConstructor
class FlowInterruptedException extends InterruptedException {
    String reason
    /** How the agent was lost, which some conditions of retry want to know. */
    String lostAgent
    /** The kind of the cause, where pipeline code may ask for it. */
    Serializable kind

    String getResult() { 'ABORTED' }
    List<Object> getCauses() { [lostAgent ? new RemovedNodeCause() : kind ?: reason] }
}

/** Why `node` ended before its agent was there; Jenkins has it in ExecutorStepExecution. */
class QueueTaskCancelled implements Serializable {
    String getShortDescription() { 'Queue task was cancelled' }
}

/** Why a branch of `parallel` ended when another one failed; Jenkins has it in ParallelStep. */
class FailFastCause implements Serializable {
    String getShortDescription() { 'Another branch failed' }
}

/** Why the body of `node` ended when its agent was lost; Jenkins has it in ExecutorStepExecution. */
class RemovedNodeCause implements Serializable {
    String getShortDescription() { 'Agent was removed' }
}

/** A step was called outside the block that gives it what it works on. */
class MissingContextVariableException extends Exception {
    MissingContextVariableException(String type) {
        super("Required context class $type is missing\n" +
            'Perhaps you forgot to surround the code with a step that provides this, such as: node')
    }
}
