package pipeline

import com.cloudbees.groovy.cps.CpsTransformer
import com.cloudbees.groovy.cps.sandbox.Untrusted
import java.lang.reflect.*
import java.util.concurrent.ConcurrentHashMap
import java.util.regex.Pattern
import org.codehaus.groovy.ast.*
import org.codehaus.groovy.ast.expr.CastExpression
import org.codehaus.groovy.ast.stmt.Statement
import org.codehaus.groovy.classgen.GeneratorContext
import org.codehaus.groovy.control.SourceUnit
import org.codehaus.groovy.reflection.*
import org.codehaus.groovy.runtime.*
import org.jenkinsci.plugins.scriptsecurity.sandbox.RejectedAccessException
import org.kohsuke.groovy.sandbox.*

/**
 * What sandboxed code may use, checked at each of its calls as the script-security plugin checks them: methods by the
 * most general type that declares them, then those that Groovy adds. A refusal has the plugin's words.
 */
class Sandbox extends GroovyInterceptor {
    /** Lines of the plugin's own list. */
    private static final Set<String> ALLOWED = Sandbox.getResource('/whitelist.txt').readLines('UTF-8').toSet()
    /** What the pipeline plugins allow beside that list: declaring class and member (`new` is a constructor). */
    private static final Pattern OF_PIPELINES = Pattern.compile([
        /pipeline\.(PipelineScript|Environment|Steps) \w+/,
        /(groovy\.lang\.Script|org\.codehaus\.groovy\.runtime\.DefaultGroovyMethods) print(ln)?/,
        /org\.jenkinsci\.plugins\.workflow\.support\.steps\.build\.RunWrapper (?!getRawBuild$)\w+/,
        /org\.codehaus\.groovy\.runtime\.(GStringImpl new|ScriptBytecodeAdapter (asType|createRange))/].join('|'))
    /** Methods of numbers that only Groovy's compiler knows. */
    private static final List<String> ARITHMETIC = ['plus', 'minus', 'multiply', 'div', 'compareTo', 'or', 'and', 'xor',
        'intdiv', 'mod', 'leftShift', 'rightShift', 'rightShiftUnsigned']

    /** Calls that were allowed, by what decides that; to look them up each time would make tests ten times as long. */
    private static final Set<List> PASSED = ConcurrentHashMap.newKeySet()

    Object onMethodCall(Invoker invoker, Object receiver, String name, Object... args) {
        List call = [receiver.getClass(), name, args*.getClass()]
        if (!PASSED.contains(call)) {
            checkMethod(receiver, name, args)
            PASSED.add(call)
        }
        return super.onMethodCall(invoker, receiver, name, args)
    }
    Object onStaticCall(Invoker invoker, Class type, String name, Object... args) {
        List call = [type, 'static', name, args*.getClass()]
        if (!PASSED.contains(call)) {
            check([method([type], name, args, true)], "staticMethod $type.name $name", args)
            PASSED.add(call)
        }
        return super.onStaticCall(invoker, type, name, args)
    }
    Object onNewInstance(Invoker invoker, Class type, Object... args) {
        check([constructor(type, args)], "new $type.name", args)
        return super.onNewInstance(invoker, type, args)
    }
    void onSuperConstructor(Invoker invoker, Class type, Object... args) {
        check([constructor(type, args)], "new $type.name", args)
        super.onSuperConstructor(invoker, type, args)
    }
    Object onGetProperty(Invoker invoker, Object receiver, String name) {
        checkProperty(receiver, name)
        return super.onGetProperty(invoker, receiver, name)
    }
    Object onSetProperty(Invoker invoker, Object receiver, String name, Object value) {
        checkProperty(receiver, name, value)
        return super.onSetProperty(invoker, receiver, name, value)
    }
    Object onGetAttribute(Invoker invoker, Object receiver, String name) {
        check([field(receiver, name)], "field ${receiver.getClass().name} $name")
        return super.onGetAttribute(invoker, receiver, name)
    }
    Object onGetArray(Invoker invoker, Object receiver, Object index) {
        if (index instanceof CharSequence) { checkProperty(receiver, index.toString()) }
        return super.onGetArray(invoker, receiver, index)
    }

    private static void checkMethod(Object receiver, String name, Object... args) {
        Method own = method(typesOf(receiver.getClass()), name, args)
        List<Method> found = own ? [own] : gdk(receiver, name, args)
        boolean operator = !own && receiver instanceof Number && name in ARITHMETIC
        boolean step = isDynamic(receiver) && (!found || name == 'invokeMethod')
        if (!step && !operator) { check(found, "method ${receiver.getClass().name} $name", args) }
    }

    /** A property is a getter or setter, else a field; of a list it is that of each element. */
    private static void checkProperty(Object receiver, String name, Object... value) {
        if (receiver instanceof Map || (receiver.getClass().array && name == 'length')) { return }
        List<Member> found = (value ? ['set'] : ['get', 'is']).collectMany { String prefix ->
            String accessor = prefix + MetaClassHelper.capitalize(name)
            [method(typesOf(receiver.getClass()), accessor, value), *gdk(receiver, accessor, value),
             receiver instanceof Class ? method([receiver], accessor, value, true) : null]
        } + field(receiver, name)
        if (!found.any() && receiver instanceof Collection) {
            receiver.each { checkProperty(it, name, value) }
        } else if (found.any() || !isDynamic(receiver)) {
            check(found, "field ${receiver.getClass().name} $name")
        }
    }

    /** Code of the pipeline itself, and what answers to any name: steps, env. */
    private static boolean isDynamic(Object receiver) {
        return receiver instanceof Closure || receiver instanceof Environment || receiver instanceof Steps ||
            isPipelineCode(receiver.getClass())
    }

    private static boolean isPipelineCode(Class type) { type.classLoader instanceof GroovyClassLoader }

    /** Of all that a call may mean one must be allowed; the first is the one that a refusal names. */
    private static void check(List<Member> found, String wanted, Object... args) {
        List<Member> members = found.findAll()
        if (!members) { throw new RejectedAccessException("unclassified $wanted${types(args*.getClass())}") }
        if (!members.any { isPipelineCode(it.declaringClass) || allowed(it) }) {
            throw new RejectedAccessException(signature(members[0]))
        }
    }

    private static boolean allowed(Member member) {
        String name = member instanceof Constructor ? 'new' : member.name
        return signature(member) in ALLOWED || "$member.declaringClass.name $name" ==~ OF_PIPELINES
    }

    /** As a line of the plugin's list. */
    private static String signature(Member member) {
        String owner = member.declaringClass.name
        if (member instanceof Constructor) { return "new $owner${types(member.parameterTypes)}" }
        String kind = member instanceof Field ? 'field' : 'method'
        return (Modifier.isStatic(member.modifiers) ? "static${kind.capitalize()}" : kind) + " $owner $member.name" +
            (member instanceof Field ? '' : types(member.parameterTypes))
    }

    private static String types(types) { types.collect { " ${it ? it.typeName : 'null'}" }.join() }

    /** Of the most general type that declares the method, as the plugin names it. */
    private static Method method(List<Class> types, String name, Object[] args, boolean isStatic = false) {
        return types.findResult { Class type ->
            List<Method> named = type.declaredMethods.findAll { it.name == name }
            fitting(named.findAll { Modifier.isStatic(it.modifiers) == isStatic }, args)
        }
    }

    private static List<Method> gdk(Object receiver, String name, Object[] args) {
        Object[] self = [receiver] + args.toList()
        return DefaultGroovyMethods.DGM_LIKE_CLASSES.toList().collect { method([it], name, self, true) }.findAll()
    }

    /** `new Point(x: 1)` calls the constructor without arguments. */
    private static Constructor constructor(Class type, Object[] args) {
        List<Constructor> all = type.declaredConstructors
        return fitting(all, args) ?: args.length == 1 && args[0] instanceof Map ? fitting(all) : null
    }

    /** The one with the narrowest parameters. */
    private static Executable fitting(List<Executable> all, Object... args) {
        Class[] given = args*.getClass()
        List<Executable> valid = all.findAll { MetaClassHelper.parametersAreCompatible(given, it.parameterTypes) } ?:
            all.findAll { it.varArgs && cached(it).isValidMethod(args) }
        return valid.find { one ->
            valid.every { MetaClassHelper.parametersAreCompatible(one.parameterTypes, it.parameterTypes) }
        } ?: valid.find()
    }

    private static ParameterTypes cached(Executable one) {
        return one instanceof Method ? new CachedMethod(one) : new CachedConstructor(one)
    }

    private static Field field(Object receiver, String name) {
        return (receiver instanceof Class ? [receiver] : typesOf(receiver.getClass())).findResult { Class type ->
            type.declaredFields.find { Field it -> it.name == name }
        }
    }

    private static List<Class> typesOf(Class type) {
        List<Class> above = (type.superclass ? [type.superclass] : []) + type.interfaces.toList()
        return (above.collectMany { typesOf(it) } + (type == GString ? [String, type] : [type])).unique()
    }
}

/** As the SandboxCpsTransformer of groovy-cps, which asks for a newer groovy-sandbox than Maven Central has. */
class SandboxedTransformer extends CpsTransformer {
    private final SandboxTransformer sandbox = new SandboxTransformer()
    private ClassCodeExpressionTransformer plainCode

    @Override void call(SourceUnit source, GeneratorContext context, ClassNode type) {
        plainCode = sandbox.createVisitor(source, type)
        super.call(source, context, type)
    }

    @Override void visitCastExpression(CastExpression cast) {
        makeNode('sandboxCastOrCoerce') {
            loc(cast)
            visit(cast.expression)
            literal(cast.type)
            [cast.ignoringAutoboxing, cast.coerce, cast.strict].each { boolean flag -> literal(flag) }
        }
    }

    @Override protected Class getTrustTag() { Untrusted }
    @Override protected void processConstructors(ClassNode type) { sandbox.processConstructors(plainCode, type) }
    @Override protected void visitNontransformedMethod(MethodNode method) { plainCode.visitMethod(method) }
    @Override protected void visitNontransformedField(FieldNode field) { plainCode.visitField(field) }
    @Override protected void visitNontransformedStatement(Statement statement) { statement.visit(plainCode) }
}
