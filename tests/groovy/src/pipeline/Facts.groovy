package pipeline

import com.cloudbees.groovy.cps.NonCPS
import groovy.json.JsonOutput
import org.codehaus.groovy.ast.*
import org.codehaus.groovy.ast.expr.*
import org.codehaus.groovy.ast.stmt.*
import org.codehaus.groovy.control.*
import org.codehaus.groovy.syntax.Types

/** Prints what each given script of vars/ declares and uses, as JSON: the house rules look at code, not at text. */
class Facts extends ClassCodeVisitorSupport {
    private final SourceUnit source
    private final List<Map> found = []
    private final List<String> caught = []
    private int guards

    static void main(String[] args) {
        Map<String, Map> facts = args.collectEntries { [(it): of(new File(it))] }
        new PrintStream(System.out, true, 'UTF-8').println(JsonOutput.toJson(facts))
    }

    /** As resolved by the compiler, before anything is transformed. */
    private static Map of(File file) {
        CompilationUnit unit = new CompilationUnit(Sources.configuration())
        SourceUnit source = unit.addSource(file)
        unit.compile(Phases.SEMANTIC_ANALYSIS)
        ModuleNode script = source.AST
        ClassNode type = script.classes[0]
        List<ImportNode> imports = script.imports + script.starImports + script.staticImports.values() +
            script.staticStarImports.values()
        // the code of a script outside its methods
        List<MethodNode> methods = type.methods.findAll { it.lineNumber > 0 || it.name == 'run' }
        return [imports: lines(imports) { it.className ?: it.packageName }, fields: lines(type.fields) { it.name },
                methods: methods.collect { new Facts(source).method(it) }]
    }

    /** Those that are in the text: the compiler adds some. */
    private static List<Map> lines(List<ASTNode> nodes, Closure<String> name) {
        return nodes.findAll { it.lineNumber > 0 }.collect { [name: name(it), line: it.lineNumber] }
    }

    private Facts(SourceUnit source) { this.source = source }
    @Override protected SourceUnit getSourceUnit() { source }

    private Map method(MethodNode method) {
        visitMethod(method)
        boolean nonCps = method.annotations.any { it.classNode.name == NonCPS.name }
        return [name: method.name, nonCps: nonCps, uses: found]
    }

    private void note(ASTNode node, String kind, String name, Map of = [:]) {
        found << [kind: kind, name: name, line: node.lineNumber, guarded: guards > 0] + of
    }

    /** What a call or property is of: this, the class or the variable of that name, or something else. */
    private Map of(Expression object) {
        switch (object) {
            case ClassExpression: return [type: object.type.name]
            case VariableExpression: return [variable: object.name, caught: object.name in caught]
            default: return [:]
        }
    }

    @Override void visitMethodCallExpression(MethodCallExpression call) {
        boolean local = call.implicitThis && found.any { it.kind == 'local' && it.name == call.methodAsString }
        if (!local) { note(call, 'call', call.methodAsString, of(call.objectExpression)) }
        if (call.methodAsString == 'sh') {
            call.arguments.visit(new Interpolated(found: { ASTNode node -> note(node, 'script', node.text) }))
        }
        super.visitMethodCallExpression(call)
    }

    @Override void visitConstructorCallExpression(ConstructorCallExpression call) {
        note(call, 'new', call.type.name)
        super.visitConstructorCallExpression(call)
    }

    @Override void visitPropertyExpression(PropertyExpression property) {
        note(property, 'property', property.propertyAsString, of(property.objectExpression))
        super.visitPropertyExpression(property)
    }

    @Override void visitVariableExpression(VariableExpression variable) {
        if (variable.accessedVariable instanceof DynamicVariable) { note(variable, 'name', variable.name) }
    }

    @Override void visitDeclarationExpression(DeclarationExpression declaration) {
        note(declaration, 'local', declaration.leftExpression.text)
        super.visitDeclarationExpression(declaration)
    }

    @Override void visitBinaryExpression(BinaryExpression expression) {
        if (expression.operation.type == Types.FIND_REGEX) { note(expression, 'matcher', '=~') }
        super.visitBinaryExpression(expression)
    }

    @Override void visitCastExpression(CastExpression cast) {
        note(cast, 'cast', cast.type.name)
        super.visitCastExpression(cast)
    }

    @Override void visitThrowStatement(ThrowStatement thrown) {
        if (!(thrown.expression instanceof VariableExpression)) { note(thrown, 'throw', thrown.expression.text) }
        super.visitThrowStatement(thrown)
    }

    @Override void visitForLoop(ForStatement loop) {
        boolean endless = loop.collectionExpression instanceof ClosureListExpression &&
            loop.collectionExpression.expressions[1] instanceof EmptyExpression
        if (endless) { note(loop, 'endless', 'for') }
        super.visitForLoop(loop)
    }

    @Override void visitTryCatchFinally(TryCatchStatement tried) {
        guards += tried.catchStatements ? 1 : 0
        tried.tryStatement.visit(this)
        guards -= tried.catchStatements ? 1 : 0
        tried.catchStatements*.visit(this)
        tried.finallyStatement.visit(this)
    }

    @Override void visitCatchStatement(CatchStatement statement) {
        caught << statement.variable.name
        super.visitCatchStatement(statement)
        caught.pop()
    }

    /** What texts are made of. */
    private static class Interpolated extends CodeVisitorSupport {
        Closure found
        @Override void visitGStringExpression(GStringExpression text) { text.values.each { found(it) } }
    }
}
