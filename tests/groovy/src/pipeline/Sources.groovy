package pipeline

import com.cloudbees.groovy.cps.*
import hudson.AbortException
import org.codehaus.groovy.ast.ClassNode
import org.codehaus.groovy.classgen.GeneratorContext
import org.codehaus.groovy.control.*
import org.codehaus.groovy.control.customizers.*
import org.codehaus.groovy.control.messages.SimpleMessage
import org.jenkinsci.plugins.workflow.libs.Library

/**
 * Compiles the Jenkinsfile and the libraries it names with the CPS transformation of Jenkins.
 * Two class loaders, as in Jenkins: global libraries and declarative pipelines are trusted, the Jenkinsfile and the
 * libraries of a folder run in the sandbox.
 */
class Sources {
    private static final String DECLARATIVE = 'DeclarativePipeline'
    private final GroovyClassLoader trusted = new GroovyClassLoader(Sources.classLoader, configuration())
    final GroovyClassLoader loader
    private final Map<String, File> loaded = [:]
    private final Map<String, Object> options
    private final Log log

    Sources(Map<String, Object> options, Log log) {
        this.options = options
        this.log = log
        CompilerConfiguration sandboxed = configuration(new SandboxedTransformer())
        loader = new GroovyClassLoader(trusted, sandboxed.addCompilationCustomizers(new LibraryAnnotations()))
    }

    static CompilerConfiguration configuration(CpsTransformer transformer = new CpsTransformer()) {
        ImportCustomizer imports = new ImportCustomizer()
        imports.addStarImports(NonCPS.package.name, 'hudson.model', 'jenkins.model').addImports(Library.name)
        transformer.configuration = new TransformerConfiguration()
        return new CompilerConfiguration(sourceEncoding: 'UTF-8', scriptBaseClass: PipelineScript.name)
            .addCompilationCustomizers(imports, transformer)
    }

    Script jenkinsfile(File file) {
        GroovyCodeSource source = new GroovyCodeSource(file.getText('UTF-8'), 'WorkflowScript', '/groovy/shell')
        return (Script) loader.parseClass(source, false).newInstance()
    }

    /** The names of vars/*.groovy in the loaded libraries, and `pipeline`. */
    Collection<String> getVariables() {
        List<String> files = loaded.values().collectMany { (new File(it, 'vars').list() ?: []).toList() }
        return files.findAll { it.endsWith('.groovy') }*.minus('.groovy') +
            (trusted.getResource("${DECLARATIVE}.groovy") ? ['pipeline'] : [])
    }

    Script variable(String name) { loader.loadClass(name == 'pipeline' ? DECLARATIVE : name).newInstance() }

    String resource(String path, String encoding) {
        List<File> found = loaded.values().collect { new File(it, "resources/$path") }.findAll { it.file }
        if (found.size() == 1) { return found[0].getText(encoding ?: 'US-ASCII') }
        throw new AbortException(found ? "Library resource $path ambiguous among libraries ${loaded.keySet()}"
            : "No such library resource $path could be found.")
    }

    private void load(String identifier) {
        String name = identifier.tokenize('@')[0]
        String folder = options.library[name] ?: options.'untrusted-library'[name]
        if (loaded[name]) { return }
        if (!folder) { throw new AbortException("Could not find any definition of libraries [$identifier]") }
        loaded[name] = new File(folder)
        GroovyClassLoader its = options.library[name] ? trusted : loader
        ['src', 'vars'].each { its.addURL(new File(folder, it).toURI().toURL()) }
        log.line("Loading library $identifier")
    }

    /** Puts the libraries on the class path before the rest of the Jenkinsfile is compiled. */
    private class LibraryAnnotations extends CompilationCustomizer {
        LibraryAnnotations() { super(CompilePhase.CONVERSION) }

        @Override
        void call(SourceUnit source, GeneratorContext context, ClassNode classNode) {
            String text = source.name == 'WorkflowScript' ? source.source.reader.text : ''
            try {
                (text =~ /(?m)^\s*@Library\(([^)]*)\)/).each { line, String names ->
                    names.findAll(/[^\s'"\[\],]+/).each { load(it) }
                }
            } catch (AbortException e) {
                log.line("ERROR: $e.message")
                source.errorCollector.addErrorAndContinue(new SimpleMessage('Loading libraries failed', source))
            }
        }
    }
}
