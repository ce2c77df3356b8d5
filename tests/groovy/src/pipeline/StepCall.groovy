package pipeline

import com.cloudbees.groovy.cps.Continuable
import groovy.transform.CompileStatic

/** One call of a step: its arguments, its context, and its bodies (closures kept in the program's table). */
@CompileStatic
class StepCall {
    final Step step
    final String name
    final Map<String, Object> args
    Context context
    final Map<String, Integer> closures = [:]
    private Program program
    private List<StackTraceElement> caller = []

    StepCall(String name, Step step, Map<String, Object> args) {
        this.name = name
        this.step = step
        this.args = args
    }

    Branch getBranch() { context.branch }

    boolean isBlock() { !closures.isEmpty() }

    /** Takes the closures out of the arguments: from now on the program's table keeps them up to date. */
    void suspended(Program program, Context context, List<StackTraceElement> caller) {
        this.program = program
        this.context = context
        this.caller = caller
        args.findAll { k, v -> v instanceof Closure }.each { String key, Object closure ->
            closures[key] = program.hold(closure)
            args.remove(key)
        }
    }

    Object body(Context inner) { body(StepTable.BODY, '', inner) }

    Object body(String key, String title, Context inner) {
        Build.current.log.pipeline(title ? "{ ($title)".toString() : '{')
        try {
            return program.runBody(closures[key], inner)
        } finally {
            Build.current.log.pipeline('}')
        }
    }

    String text(String key) { args[key]?.toString() }

    boolean flag(String key) { args[key] as boolean }

    /** Adds the pipeline's own lines to the stack trace of a step's failure. */
    Throwable located(Throwable failure) {
        if (!failure.stackTrace.contains(Continuable.SEPARATOR_STACK_ELEMENT)) {
            List<StackTraceElement> all = caller + [Continuable.SEPARATOR_STACK_ELEMENT] + failure.stackTrace.toList()
            failure.stackTrace = all as StackTraceElement[]
        }
        return failure
    }
}
