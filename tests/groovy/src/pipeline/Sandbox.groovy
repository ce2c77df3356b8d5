package pipeline

import com.cloudbees.groovy.cps.CpsTransformer
import com.cloudbees.groovy.cps.sandbox.Untrusted
import java.lang.reflect.*
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
 * What sandboxed code may use, checked at each of its calls as the script-security plugin checks them.
 * The list is shorter than the plugin's: what is allowed here is allowed there. A refusal has the plugin's words.
 */
class Sandbox extends GroovyInterceptor {
    /** Declaring class and member (`new` is a constructor). */
    private static final Pattern ALLOWED = Pattern.compile([
        /java\.lang\.(Boolean|Byte|Character|Short|Integer|Long|Float|Double|Number|Math|String|CharSequence|/ +
            /Iterable|StringBuilder|StringBuffer|AbstractStringBuilder|Appendable|Comparable|Enum) \w+/,
        /java\.lang\.(Object (new|equals|hashCode|toString|getClass|clone)|Exception new|Throwable get(Message|Cause))/,
        /java\.lang\.(Class (getName|getSimpleName|isInstance)|System (currentTimeMillis|identityHashCode))/,
        /java\.util\.(Collections?|Objects|Arrays|List|ArrayList|Set|(Linked)?HashSet|TreeSet|Map([$]Entry)?|TreeMap|/ +
            /(Linked)?HashMap|Iterator|Comparator|Date|Calendar|TimeZone|Locale|Random|UUID|Base64([$]\w+)?) \w+/,
        /java\.util\.(concurrent\.(TimeUnit|Callable)|regex\.(Matcher|MatchResult|Pattern)) \w+/,
        /java\.(time\.[\w.]+|math\.\w+|text\.((Simple)?Date)?Format|nio\.charset\.\w+|net\.URL(De|En)coder) \w+/,
        /groovy\.lang\.((Closure|GString|\w*Range) \w+|Script (getBinding|print(ln)?)|Binding (has|get|set)Variables?)/,
        /groovy\.json\.Json(Output|Slurper|SlurperClassic) (new|parseText|toJson|prettyPrint)/,
        /org\.codehaus\.groovy\.runtime\.(ScriptBytecodeAdapter|GStringImpl) \w+/,
        /org\.codehaus\.groovy\.runtime\.(Default|String|Date|Encoding)GroovyMethods (?!(addShutdownHook|dump|mixin|/ +
            /eachFile|execute|[gs]etMetaClass|getMetaPropertyValues|getProperties|inspect|invokeMethod|metaClass|/ +
            /newInstance|putAt|runAfter|toUR[IL]|use|withTraits)$)\w+/,
        /org\.kohsuke\.groovy\.sandbox\.impl\.Checker checkedCast|pipeline\.(PipelineScript|Environment|Steps) \w+/,
        /org\.jenkinsci\.plugins\.workflow\.support\.steps\.build\.RunWrapper (?!getRawBuild$)\w+/,
        /org\.jenkinsci\.plugins\.workflow\.steps\.FlowInterruptedException get(Causes|Result)/].join('|'))

    Object onMethodCall(Invoker invoker, Object receiver, String name, Object... args) {
        Method method = method(typesOf(receiver.getClass()), name, args) ?: gdk(receiver, name, args)
        boolean operator = receiver instanceof Number || (receiver instanceof String && name == 'plus')
        boolean step = isDynamic(receiver) && (!method || name == 'invokeMethod')
        if (!step && (method || !operator)) { check(method, "method ${receiver.getClass().name} $name", args) }
        return super.onMethodCall(invoker, receiver, name, args)
    }
    Object onStaticCall(Invoker invoker, Class type, String name, Object... args) {
        check(method([type], name, args, true), "staticMethod $type.name $name", args)
        return super.onStaticCall(invoker, type, name, args)
    }
    Object onNewInstance(Invoker invoker, Class type, Object... args) {
        check(constructor(type, args), "new $type.name", args)
        return super.onNewInstance(invoker, type, args)
    }
    void onSuperConstructor(Invoker invoker, Class type, Object... args) {
        check(constructor(type, args), "new $type.name", args)
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
        check(field(receiver, name), "field ${receiver.getClass().name} $name")
        return super.onGetAttribute(invoker, receiver, name)
    }
    Object onGetArray(Invoker invoker, Object receiver, Object index) {
        if (index instanceof CharSequence) { checkProperty(receiver, index.toString()) }
        return super.onGetArray(invoker, receiver, index)
    }

    /** A property is a getter or setter, else a field; of a list it is that of each element. */
    private static void checkProperty(Object receiver, String name, Object... value) {
        if (receiver instanceof Map || (receiver.getClass().array && name == 'length')) { return }
        Member found = (value ? ['set'] : ['get', 'is']).findResult { String prefix ->
            String accessor = prefix + MetaClassHelper.capitalize(name)
            method(typesOf(receiver.getClass()), accessor, value) ?: gdk(receiver, accessor, value) ?:
                (receiver instanceof Class ? method([receiver], accessor, value, true) : null)
        } ?: field(receiver, name)
        if (!found && receiver instanceof Collection) {
            receiver.each { checkProperty(it, name, value) }
        } else if (found || !isDynamic(receiver)) {
            check(found, "field ${receiver.getClass().name} $name")
        }
    }

    /** Code of the pipeline itself, and what answers to any name: steps, env. */
    private static boolean isDynamic(Object receiver) {
        return receiver instanceof Closure || receiver instanceof Environment || receiver instanceof Steps ||
            isPipelineCode(receiver.getClass())
    }

    private static boolean isPipelineCode(Class type) { type.classLoader instanceof GroovyClassLoader }

    private static void check(Member member, String wanted, Object... args) {
        if (!member) { throw new RejectedAccessException("unclassified $wanted${types(args*.getClass())}") }
        String owner = member.declaringClass.name
        String name = member instanceof Constructor ? 'new' : member.name
        if (isPipelineCode(member.declaringClass) || "$owner $name" ==~ ALLOWED) { return }
        String kind = member instanceof Field ? 'field' : 'method'
        throw new RejectedAccessException(member instanceof Constructor ? "new $owner${types(member.parameterTypes)}"
            : (Modifier.isStatic(member.modifiers) ? "static${kind.capitalize()}" : kind) + " $owner $name" +
            (member instanceof Method ? types(member.parameterTypes) : ''))
    }

    private static String types(types) { types.collect { " ${it ? it.typeName : 'null'}" }.join() }

    /** Of the most general type that declares the method, as the plugin names it. */
    private static Method method(List<Class> types, String name, Object[] args, boolean isStatic = false) {
        return types.findResult { Class type ->
            List<Method> named = type.declaredMethods.findAll { it.name == name }
            fitting(named.findAll { Modifier.isStatic(it.modifiers) == isStatic }, args)
        }
    }

    private static Method gdk(Object receiver, String name, Object[] args) {
        Object[] self = [receiver] + args.toList()
        return method(DefaultGroovyMethods.DGM_LIKE_CLASSES.toList(), name, self, true)
    }

    /** `new Point(x: 1)` calls the constructor without arguments. */
    private static Constructor constructor(Class type, Object[] args) {
        List<Constructor> all = type.declaredConstructors
        return fitting(all, args) ?: args.length == 1 && args[0] instanceof Map ? fitting(all) : null
    }

    /** The one whose parameters are closest to the arguments. */
    private static Executable fitting(List<Executable> all, Object... args) {
        List<Executable> valid = all.findAll {
            (it instanceof Method ? new CachedMethod(it) : new CachedConstructor(it)).isValidMethod(args)
        }
        return valid.max {
            int alike = [it.parameterTypes.toList(), args*.getClass()].transpose().count { want, has -> want == has }
            it.parameterTypes.length == args.length ? alike + 1 : alike
        }
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
