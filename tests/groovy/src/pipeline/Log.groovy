package pipeline

import groovy.transform.CompileStatic

/** The console log: whole lines from any thread, and the output of processes as it comes. */
@CompileStatic
class Log {
    private final PrintStream out
    private boolean lineOpen

    Log(OutputStream target) { out = new PrintStream(target, true, 'UTF-8') }

    synchronized void line(Object text) {
        endLine()
        out.println(text)
    }

    void pipeline(String what) { line("[Pipeline] $what") }

    synchronized void output(byte[] bytes, int offset, int count) {
        out.write(bytes, offset, count)
        out.flush()
        lineOpen = count > 0 ? bytes[offset + count - 1] != (byte) 10 : lineOpen
    }

    private void endLine() {
        if (lineOpen) {
            out.println()
            lineOpen = false
        }
    }

    /** A stream for a process that writes to the log. */
    OutputStream stream() {
        Log log = this
        return new OutputStream() {
            @Override
            void write(int b) { log.output([(byte) b] as byte[], 0, 1) }

            @Override
            void write(byte[] bytes, int offset, int count) { log.output(bytes, offset, count) }
        }
    }

    /** The end of a failed build, worded as Jenkins words it. */
    void failure(Throwable failure) {
        if (failure instanceof org.jenkinsci.plugins.workflow.steps.FlowInterruptedException) {
            failure.suppressed.each { Throwable t -> line("Also:   ${describe(t)}") }
            line(failure.reason)
        } else if (failure instanceof hudson.AbortException) {
            line("ERROR: $failure.message")
        } else {
            failure.suppressed.each { Throwable t -> line("Also:   ${describe(t)}") }
            line(describe(failure))
            failure.stackTrace.findAll { StackTraceElement e -> e.fileName ==~ /WorkflowScript|\w+\.groovy/ &&
                !e.className.startsWith('pipeline.') }.take(12).each { line("\tat $it") }
            for (Throwable cause = failure.cause; cause; cause = cause.cause) {
                line("Caused by: ${describe(cause)}")
            }
        }
    }

    private static String describe(Throwable t) { t.message == null ? t.class.name : "${t.class.name}: $t.message" }
}
