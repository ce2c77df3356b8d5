package hudson

/** The failure of a step that needs no stack trace; the log shows only its message. */
class AbortException extends IOException {
    AbortException() { }

    AbortException(String message) { super(message) }
}
