package pipeline

import com.cloudbees.groovy.cps.Continuable
import java.lang.annotation.*
import java.lang.reflect.*
import org.jenkinsci.plugins.workflow.steps.MissingContextVariableException

/** Marks a method as a pipeline step. */
@Retention(RetentionPolicy.RUNTIME)
@interface Step {
    /** Named parameters; the first is what a single unnamed argument means. */
    String[] value() default []
    /** The class whose absence Jenkins names when the step is called outside a node. */
    String needs() default ''
}

/** One call of a step: its arguments, its context, and its bodies (closures kept in the program's table). */
@groovy.transform.TupleConstructor
class StepCall {
    static final String BODY = ' body'
    String name
    Map<String, Object> args
    Context context
    private Program program
    private List<StackTraceElement> caller
    final Map<String, Integer> closures = [:]

    Branch getBranch() { context.branch }
    String text(String key) { args[key]?.toString() }
    boolean flag(String key) { args[key] as boolean }

    /** Takes the closures out of the arguments: from now on the program's table keeps them up to date. */
    void suspended(Program program, Context context, List<StackTraceElement> caller) {
        this.program = program
        this.context = context
        this.caller = caller
        args.findAll { it.value instanceof Closure }.each { closures[it.key] = program.hold(args.remove(it.key)) }
    }

    Object body(Context inner) { body(BODY, '', inner) }
    Object body(String key, String title, Context inner) {
        Build.current.log.line("[Pipeline] {${title ? " ($title)" : ''}")
        try {
            return program.runBody(closures[key], inner)
        } finally {
            Context.current = context
            Build.current.log.pipeline('}')
        }
    }

    /** Adds the pipeline's own lines to the stack trace of a step's failure. */
    Throwable located(Throwable failure) {
        List<StackTraceElement> trace = failure.stackTrace, separator = [Continuable.SEPARATOR_STACK_ELEMENT]
        failure.stackTrace = trace.containsAll(separator) ? trace : caller + separator + trace
        return failure
    }
}

/**
 * Steps by name, and the checks a controller makes before one runs: does it exist, are its arguments known, is there
 * a node. Unknown named arguments fail (a controller of 2021 only warns): a test should not pass with a misspelt one.
 */
class StepTable {
    /** Described values that a step takes: `usernamePassword(...)` is no step, it makes an argument of one. */
    static final List<String> SYMBOLS =
        ['file', 'kubernetesAgent', 'nonresumable', 'string', 'usernameColonPassword', 'usernamePassword']
    private static final List<String> NOT_PLAYED = ['bat', 'build', 'git', 'input', 'library', 'load', 'mail',
        'milestone', 'powershell', 'pwsh', 'tool', 'waitUntil', 'ws']
    private final Map<String, Closure> steps = new TreeMap<>()
    private final Map<String, Step> marks = [:]

    StepTable(Object... owners) {
        owners.each { Object owner ->
            owner.class.methods.findAll { it.isAnnotationPresent(Step) }.each {
                steps[it.name] = owner.&"$it.name"
                marks[it.name] = it.getAnnotation(Step)
            }
        }
    }

    StepCall call(String name, List<Object> args) {
        if (name in NOT_PLAYED) {
            throw new UnsupportedOperationException("the pipeline runner does not play the step '$name'")
        }
        if (!steps[name]) {
            throw new NoSuchMethodError("No such DSL method '$name' found among steps " +
                "${(steps.keySet() + NOT_PLAYED).sort()} or symbols $SYMBOLS or globals ${Globals.names()}")
        }
        List<String> known = marks[name].value()
        List<Object> plain = args && args.last() instanceof Closure ? args.init() : args
        boolean pairs = plain && plain[0] instanceof Map && !plain[0].$symbol
        if (plain.size() > 1 || (plain && !pairs && !known)) {
            throw new IllegalArgumentException("Expected named arguments but got $plain")
        }
        Map<String, Object> named = !plain ? [:] : pairs ? plain[0] : [(known[0]): plain[0]]
        List<String> unknown = named*.key - known
        if (unknown && name != 'parallel') {
            throw new IllegalArgumentException("Unknown parameter(s) found for step '$name': ${unknown.join(', ')}")
        }
        Map<String, Object> body = plain.size() < args.size() ? [(StepCall.BODY): args.last()] : [:]
        return new StepCall(name, named.collectEntries { key, value -> [key.toString(), texts(value)] } + body)
    }

    private static Object texts(Object value) {
        if (value instanceof Map) { return value.collectEntries { key, item -> [key, texts(item)] } }
        return value instanceof GString ? value.toString() : value instanceof List ? value.collect { texts(it) } : value
    }

    Object invoke(StepCall call) {
        Build.current.log.pipeline(call.name)
        String needs = marks[call.name].needs()
        try {
            if (needs && !call.context.agent) { throw new MissingContextVariableException(needs) }
            call.branch.check()
            return steps[call.name].call(call)
        } finally {
            if (call.closures) { Build.current.log.pipeline("// $call.name") }
        }
    }
}
