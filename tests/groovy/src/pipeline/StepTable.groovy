package pipeline

import groovy.transform.CompileStatic
import java.lang.reflect.InvocationTargetException
import java.lang.reflect.Method
import org.jenkinsci.plugins.workflow.steps.MissingContextVariableException

/**
 * Steps by name, and the checks a controller makes before one runs: does it exist, are its arguments known, is there
 * a node. Unknown named arguments fail (a controller of 2021 only warns): a test should not pass with a misspelt one.
 */
@CompileStatic
class StepTable {
    static final String BODY = ' body'
    private static final String BRANCHES = 'branches'

    private final Map<String, Method> methods = new TreeMap<>()
    private final Map<String, Object> owners = [:]

    StepTable(List<Object> stepObjects) {
        stepObjects.each { Object owner ->
            owner.class.methods.findAll { Method m -> m.isAnnotationPresent(Step) }.each { Method m ->
                methods[m.name] = m
                owners[m.name] = owner
            }
        }
    }

    StepCall call(String name, Object[] args, Collection<String> globals) {
        Method method = methods[name]
        if (!method) {
            throw new NoSuchMethodError("No such DSL method '$name' found among steps ${methods.keySet()} " +
                "or symbols [] or globals ${globals.sort()}")
        }
        Step step = method.getAnnotation(Step)
        Map<String, Object> named = named(name, step, args)
        List<String> unknown = (named.keySet() - step.value().toList() - [BODY]).toList()
        if (unknown && step.value() != [BRANCHES] as String[]) {
            throw new IllegalArgumentException("Unknown parameter(s) found for step '$name': ${unknown.join(', ')}")
        }
        return new StepCall(name, step, named)
    }

    private static Map<String, Object> named(String name, Step step, Object[] args) {
        List<Object> rest = args.toList()
        Map<String, Object> named = [:]
        Object body = rest && rest.last() instanceof Closure ? rest.remove(rest.size() - 1) : null
        if (rest.size() > 1 || (rest && !(rest[0] instanceof Map) && !step.value())) {
            throw new IllegalArgumentException("Expected named arguments but got $rest")
        }
        if (rest && rest[0] instanceof Map) {
            ((Map) rest[0]).each { key, value -> named[key.toString()] = plain(value) }
        } else if (rest) {
            named[step.value()[0]] = plain(rest[0])
        }
        if (body) {
            named[BODY] = body
        }
        return named
    }

    private static Object plain(Object value) {
        if (value instanceof GString) {
            return value.toString()
        }
        if (value instanceof List) {
            return ((List) value).collect { plain(it) }
        }
        return value
    }

    Object invoke(StepCall call) {
        Log log = Build.current.log
        log.pipeline(call.name)
        try {
            if (call.step.needs() && !call.context.agent) {
                throw new MissingContextVariableException(call.step.needs())
            }
            call.branch.check()
            return methods[call.name].invoke(owners[call.name], call)
        } catch (InvocationTargetException e) {
            throw e.targetException
        } finally {
            if (call.block) {
                log.pipeline("// $call.name")
            }
        }
    }
}
