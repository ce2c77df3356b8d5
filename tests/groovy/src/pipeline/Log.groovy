package pipeline

import groovy.transform.CompileStatic
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

/** The console log: whole lines from any thread, without the secrets of the step that writes them. */
@CompileStatic
class Log {
    private final PrintStream out
    /** When the last line came. */
    volatile long activity

    Log(OutputStream target) { out = new PrintStream(target, true, 'UTF-8') }

    void line(Object text) { masked(text.toString(), Context.current?.secrets) }
    void pipeline(String what) { line("[Pipeline] $what") }

    private synchronized void masked(String text, List<String> secrets) {
        activity = System.currentTimeMillis()
        out.println(secrets ? secrets.inject(text) { String a, String secret -> a.replace(secret, '****') } : text)
    }

    /** For a process. Passes on whole lines, so that no secret slips through in pieces; `close` ends the last one. */
    OutputStream stream() {
        List<String> secrets = Context.current?.secrets
        Closure end = { ByteArrayOutputStream line -> masked(line.toString('UTF-8'), secrets); line.reset() }
        return new ByteArrayOutputStream() {
            @Override synchronized void write(int b) { b == 10 ? end(this) : super.write(b) }
            @Override synchronized void close() { size() ? end(this) : null }
            @Override synchronized void write(byte[] bytes, int offset, int count) {
                for (int i = offset; i < offset + count; i++) { write((int) bytes[i]) }
            }
        }
    }

    /** The end of a failed build, worded as Jenkins words it. */
    void failure(Throwable failure) {
        if (failure instanceof hudson.AbortException) { line("ERROR: $failure.message") }
        if (!failure || failure instanceof hudson.AbortException) { return }
        boolean interrupted = failure instanceof FlowInterruptedException
        failure.suppressed.each { Throwable t -> line("Also:   ${describe(t)}") }
        line(interrupted ? ((FlowInterruptedException) failure).reason : describe(failure))
        Collection<StackTraceElement> own = failure.stackTrace.findAll { StackTraceElement e ->
            !interrupted && e.fileName ==~ /WorkflowScript|\w+\.groovy/ && !e.className.startsWith('pipeline.')
        }
        own.take(12).each { line("\tat $it") }
        for (Throwable cause = failure.cause; cause; cause = cause.cause) { line("Caused by: ${describe(cause)}") }
    }

    private static String describe(Throwable t) { t.class.name + (t.message == null ? '' : ": $t.message") }
}
