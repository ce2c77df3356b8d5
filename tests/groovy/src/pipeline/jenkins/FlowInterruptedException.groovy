package org.jenkinsci.plugins.workflow.steps

/** A step was stopped by an abort, a timeout or a failed sibling branch. As in Jenkins it has no message. */
class FlowInterruptedException extends InterruptedException {
    final String reason

    FlowInterruptedException(String reason) { this.reason = reason }

    String getResult() { 'ABORTED' }

    List<String> getCauses() { [reason] }
}
