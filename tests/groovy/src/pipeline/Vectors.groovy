package pipeline

import com.cloudbees.groovy.cps.impl.CpsCallableInvocation
import com.fasterxml.jackson.databind.ObjectMapper
import groovy.json.JsonOutput
import org.codehaus.groovy.control.CompilerConfiguration
import org.codehaus.groovy.runtime.InvokerInvocationException

/**
 * Calls one @NonCPS method of a library variable with many argument lists, JSON in and out: one JVM for all. In the
 * sandbox, for the library may be a folder's.
 */
class Vectors {
    static void main(String[] args) {
        new Sandbox().register()
        CompilerConfiguration sandboxed = Sources.configuration(new SandboxedTransformer())
        GroovyClassLoader loader = new GroovyClassLoader(Vectors.classLoader, sandboxed)
        Script script = (Script) loader.parseClass(new GroovyCodeSource(new File(args[0]), 'UTF-8')).newInstance()
        List cases = new ObjectMapper().readValue(System.in, List) // keeps the order of maps, as literals do
        List<Map> answers = cases.collect { List arguments -> answer(script, args[1], arguments) }
        new PrintStream(System.out, true, 'UTF-8').println(JsonOutput.toJson(answers))
    }

    private static Map answer(Script script, String method, List arguments) {
        try {
            return [result: script.metaClass.invokeMethod(script, method, arguments as Object[])]
        } catch (CpsCallableInvocation notPure) {
            return [error: "$method calls ${notPure.methodName}, which is not @NonCPS".toString()]
        } catch (Exception e) {
            return [error: (e instanceof InvokerInvocationException ? e.cause ?: e : e).message]
        }
    }
}
