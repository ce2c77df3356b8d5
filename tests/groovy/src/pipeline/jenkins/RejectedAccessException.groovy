package org.jenkinsci.plugins.scriptsecurity.sandbox

/** Sandboxed code used what no list allows. */
class RejectedAccessException extends SecurityException {
    RejectedAccessException(String signature) { super("Scripts not permitted to use $signature") }
}
