package pipeline

import com.cloudbees.groovy.cps.Continuable
import com.cloudbees.groovy.cps.SerializableScript
import org.codehaus.groovy.runtime.InvokerHelper

/** The base class of Jenkinsfiles and library variables: unknown names are global variables, then steps. */
abstract class PipelineScript extends SerializableScript {
    @Override
    Object invokeMethod(String name, Object args) {
        if (Globals.exists(name)) {
            Object global = Globals.get(name, this)
            return InvokerHelper.getMetaClass(global).invokeMethod(global, 'call', args)
        }
        return callStep(name, args)
    }

    @Override
    Object getProperty(String name) {
        try {
            return super.getProperty(name)
        } catch (MissingPropertyException missing) {
            if (Globals.exists(name)) {
                return Globals.get(name, this)
            }
            String variable = Build.current.environment(Context.current)[name]
            if (variable == null) {
                throw missing
            }
            return variable
        }
    }

    static Object callStep(String name, Object args) {
        StepCall call = Build.current.steps.call(name, (args ?: []) as Object[], Globals.names())
        return Continuable.suspend(name, call)
    }

    void println(Object value) { callStep('echo', [String.valueOf(value)]) }

    void print(Object value) { callStep('echo', [String.valueOf(value)]) }

    void println() { callStep('echo', ['']) }

    Object sleep(long seconds) { callStep('sleep', [seconds]) }
}
