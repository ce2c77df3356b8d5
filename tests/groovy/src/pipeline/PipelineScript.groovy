package pipeline

import com.cloudbees.groovy.cps.Continuable
import com.cloudbees.groovy.cps.SerializableScript
import org.codehaus.groovy.runtime.InvokerHelper
import org.jenkinsci.plugins.workflow.support.steps.build.RunWrapper

/** The base class of Jenkinsfiles and library variables: unknown names are global variables, then steps. */
abstract class PipelineScript extends SerializableScript {
    @Override
    Object invokeMethod(String name, Object args) {
        Object global = Globals.exists(name) ? Globals.get(name, this) : null
        return global ? InvokerHelper.getMetaClass(global).invokeMethod(global, 'call', args) : callStep(name, args)
    }

    @Override
    Object getProperty(String name) {
        try {
            return super.getProperty(name)
        } catch (MissingPropertyException missing) {
            if (Globals.exists(name)) { return Globals.get(name, this) }
            String variable = Build.current.environment(Context.current)[name]
            if (variable == null) { throw missing }
            return variable
        }
    }

    /** groovy-cps wants to see the name that the code called, println for echo. */
    static Object callStep(String name, Object args, String calledAs = name) {
        List<Object> given = ((args ?: []) as Object[]).toList()
        if (Symbols.TABLE.containsKey(name)) { return Symbols.make(name, given ? given[0] : [:]) }
        if (name in StepTable.SYMBOLS) { return [$symbol: name] + (given ? (Map) given[0] : [:]) }
        return Continuable.suspend(calledAs, Build.current.steps.call(name, given))
    }

    void println(Object text = '') { callStep('echo', ["$text"], 'println') }
    void print(Object text) { callStep('echo', ["$text"], 'print') }

}

/** What `checkout scm` is given. */
class Scm implements Serializable { }

class Steps extends GroovyObjectSupport implements Serializable {
    @Override Object invokeMethod(String name, Object args) { PipelineScript.callStep(name, args) }
}

/** The variable env. Names are looked up when used, in the context of the running code. */
class Environment extends GroovyObjectSupport implements Serializable {
    Map<String, String> getEnvironment() { Build.current.environment(Context.current) }
    @Override Object getProperty(String name) { name == 'environment' ? getEnvironment() : getEnvironment()[name] }
    @Override void setProperty(String name, Object value) {
        value == null ? Build.current.env.remove(name) : Build.current.env.put(name, value.toString())
    }
}

/** The variables that exist in every script: env, currentBuild, params, scm, steps, and the libraries' own. */
class Globals {
    private static final Map<String, Closure> BUILT_IN = [
        currentBuild: { new RunWrapper() }, env: { new Environment() }, scm: { new Scm() }, steps: { new Steps() },
        params: { new HashMap(Build.current.options.param) }]

    static boolean exists(String name) { name in names() && (name != 'scm' || Build.current.options.scm) }
    static Collection<String> names() { (BUILT_IN.keySet() + Build.current.sources.variables).sort() }

    /** As in Jenkins, a library's variable has one instance per calling script, kept in its binding. */
    static Object get(String name, Script script) {
        if (BUILT_IN[name]) { return BUILT_IN[name].call() }
        Map variables = script.binding.variables
        return variables[name] = variables[name] ?: Build.current.sources.variable(name)
    }
}
