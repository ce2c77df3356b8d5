// Runs a script as the script console does: everything it prints, then its value, then what it threw, all as one text.
package standin

import groovy.transform.CompileStatic
import jenkins.model.Jenkins
import org.codehaus.groovy.control.CompilerConfiguration
import org.codehaus.groovy.control.customizers.ImportCustomizer

@CompileStatic
class ScriptConsole {
    static String run(String script) {
        StringWriter text = new StringWriter()
        PrintWriter out = new PrintWriter(text)
        try {
            Object value = shell(out).evaluate(script)
            if (value != null) {
                out.println("Result: $value")
            }
        } catch (Throwable thrown) {
            printCauses(out, thrown, null)
        }
        out.flush()
        text
    }

    private static GroovyShell shell(PrintWriter out) {
        ImportCustomizer imports = new ImportCustomizer().addStarImports('jenkins', 'jenkins.model', 'hudson', 'hudson.model')
        CompilerConfiguration configuration = new CompilerConfiguration().addCompilationCustomizers(imports)
        new GroovyShell(Jenkins.get().pluginManager.uberClassLoader, new Binding(out: out), configuration)
    }

    /** Jenkins prints the root cause first and leaves out the frames that cause and wrapper share. */
    private static void printCauses(PrintWriter out, Throwable thrown, Throwable wrapper) {
        String summary = thrown.toString()
        if (thrown.cause != null) {
            printCauses(out, thrown.cause, thrown)
            out.print('Caused: ')
            summary -= ": $thrown.cause"
        }
        out.println(summary)
        List<StackTraceElement> frames = thrown.stackTrace.toList()
        List<StackTraceElement> outer = wrapper ? wrapper.stackTrace.toList() : []
        while (frames && outer && frames.last() == outer.last()) {
            frames = frames.init()
            outer = outer.init()
        }
        frames.each { out.println("\tat $it") }
    }
}
