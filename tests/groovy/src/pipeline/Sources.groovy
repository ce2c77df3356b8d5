package pipeline

import com.cloudbees.groovy.cps.CpsTransformer
import com.cloudbees.groovy.cps.NonCPS
import com.cloudbees.groovy.cps.TransformerConfiguration
import hudson.AbortException
import org.codehaus.groovy.ast.ClassNode
import org.codehaus.groovy.ast.CodeVisitorSupport
import org.codehaus.groovy.ast.AnnotatedNode
import org.codehaus.groovy.ast.expr.ConstantExpression
import org.codehaus.groovy.ast.expr.DeclarationExpression
import org.codehaus.groovy.ast.expr.Expression
import org.codehaus.groovy.ast.expr.ListExpression
import org.codehaus.groovy.classgen.GeneratorContext
import org.codehaus.groovy.control.CompilePhase
import org.codehaus.groovy.control.CompilerConfiguration
import org.codehaus.groovy.control.SourceUnit
import org.codehaus.groovy.control.customizers.CompilationCustomizer
import org.codehaus.groovy.control.customizers.ImportCustomizer
import org.codehaus.groovy.control.messages.SimpleMessage
import org.jenkinsci.plugins.workflow.libs.Library

/** Compiles the Jenkinsfile and the libraries it names, as trusted code, with the CPS transformation of Jenkins. */
class Sources {
    final GroovyClassLoader loader
    private final Map<String, File> available
    private final Map<String, File> loaded = [:]
    private final Log log

    Sources(Map<String, File> available, Log log) {
        this.available = available
        this.log = log
        loader = new GroovyClassLoader(Sources.classLoader, configuration(new LibraryAnnotations()))
    }

    static CompilerConfiguration configuration(CompilationCustomizer... more) {
        CompilerConfiguration configuration = new CompilerConfiguration(sourceEncoding: 'UTF-8')
        ImportCustomizer imports = new ImportCustomizer()
        imports.addStarImports(NonCPS.package.name, 'hudson.model', 'jenkins.model')
        imports.addImports(Library.name)
        configuration.scriptBaseClass = PipelineScript.name
        CpsTransformer transformer = new CpsTransformer()
        transformer.configuration = new TransformerConfiguration().withClosureType(PipelineClosure)
        configuration.addCompilationCustomizers(imports, transformer)
        configuration.addCompilationCustomizers(more)
        return configuration
    }

    Script jenkinsfile(File file) {
        GroovyCodeSource source = new GroovyCodeSource(file.getText('UTF-8'), 'WorkflowScript', '/groovy/shell')
        return (Script) loader.parseClass(source, false).newInstance()
    }

    /** The names of vars/*.groovy in the loaded libraries. */
    Collection<String> getVariables() {
        return loaded.values().collectMany { File library ->
            (new File(library, 'vars').list() ?: [] as String[]).findAll { String name -> name.endsWith('.groovy') }
                .collect { String name -> name - '.groovy' }
        }
    }

    Script variable(String name) { (Script) loader.loadClass(name).newInstance() }

    String resource(String path, String encoding) {
        List<File> found = loaded.values().collect { new File(it, "resources/$path") }.findAll { it.file }
        if (!found) {
            throw new AbortException("No such library resource $path could be found.")
        }
        if (found.size() > 1) {
            throw new AbortException("Library resource $path ambiguous among libraries ${loaded.keySet()}")
        }
        return found[0].getText(encoding ?: 'US-ASCII')
    }

    private void load(String identifier) {
        String name = identifier.tokenize('@')[0]
        File folder = available[name]
        if (!folder) {
            throw new AbortException("Could not find any definition of libraries [$identifier]")
        }
        loaded[name] = folder
        ['src', 'vars'].each { loader.addURL(new File(folder, it).toURI().toURL()) }
        log.line("Loading library $identifier")
    }

    /** Puts the libraries on the class path before the rest of the Jenkinsfile is compiled. */
    private class LibraryAnnotations extends CompilationCustomizer {
        LibraryAnnotations() { super(CompilePhase.CONVERSION) }

        @Override
        void call(SourceUnit source, GeneratorContext context, ClassNode classNode) {
            List<String> names = []
            source.AST.imports.each { names.addAll(libraries(it)) }
            source.AST.statementBlock.visit(new CodeVisitorSupport() {
                @Override
                void visitDeclarationExpression(DeclarationExpression expression) {
                    names.addAll(libraries(expression))
                    super.visitDeclarationExpression(expression)
                }
            })
            try {
                names.unique().each { load(it) }
            } catch (AbortException e) {
                log.line("ERROR: $e.message")
                source.errorCollector.addErrorAndContinue(new SimpleMessage('Loading libraries failed', source))
            }
        }

        private List<String> libraries(AnnotatedNode node) {
            return node.annotations.findAll { it.classNode.name in ['Library', Library.name] }.collectMany {
                Expression value = it.getMember('value')
                List<Expression> all = value instanceof ListExpression ? value.expressions : [value]
                all.collect { ((ConstantExpression) it).value.toString() }
            }
        }
    }
}
