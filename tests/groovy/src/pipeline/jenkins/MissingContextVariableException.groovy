package org.jenkinsci.plugins.workflow.steps

/** A step was called outside the block that gives it what it works on. */
class MissingContextVariableException extends Exception {
    MissingContextVariableException(String type) {
        super("Required context class $type is missing\n" +
            'Perhaps you forgot to surround the code with a step that provides this, such as: node')
    }
}
