package hudson

/** The failure of a step that needs no stack trace; the log shows only its message. */
@groovy.transform.InheritConstructors class AbortException extends IOException { }
