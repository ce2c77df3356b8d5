// Configuration as code, as far as clouds go: YAML becomes new objects of the plugin's classes, objects become YAML.
package io.jenkins.plugins.casc

import java.lang.reflect.*
import java.nio.file.*
import org.snakeyaml.engine.v2.api.*
import org.snakeyaml.engine.v2.common.*
import org.snakeyaml.engine.v2.nodes.Node
import org.snakeyaml.engine.v2.nodes.NodeTuple
import org.snakeyaml.engine.v2.nodes.Tag
import org.snakeyaml.engine.v2.representer.StandardRepresenter
import org.snakeyaml.engine.v2.schema.FailsafeSchema

@InheritConstructors class ConfiguratorException extends RuntimeException { }

class ConfigurationAsCode {
    private static final ConfigurationAsCode INSTANCE = new ConfigurationAsCode()
    // Every scalar is the text it is: `010` and `yes` mean what the attribute makes of them.
    private static final LoadSettings TEXTS = LoadSettings.builder().setSchema(new FailsafeSchema()).build()
    /** Files, or folders of *.yaml. */
    List<String> sources = []
    static ConfigurationAsCode get() { INSTANCE }
    /** Replaces the list of clouds by what the sources and the text beside them define; where none does it stays. */
    void configure(String text = null) {
        List<File> files = sources.collect { new File(it) }.collectMany {
            it.directory ? it.listFiles().findAll { file -> file.name ==~ /.*\.ya?ml/ }.sort() : [it]
        }
        List<String> texts = files*.getText('UTF-8') + (text ?: '')
        List documents = texts.collectMany { new Load(TEXTS).loadAllFromString(it).toList() }
        Map merged = documents.inject([:]) { all, more -> merge('', all, more) }
        Configurator.refuse(merged, ['jenkins'], 'No configurator for the following root elements')
        Map root = merged.jenkins ?: [:]
        Configurator.refuse(root, ['clouds'], 'Invalid configuration elements for type class jenkins.model.Jenkins')
        if (root.clouds) {
            Jenkins.get().clouds.replaceBy(root.clouds.collect { new Configurator(Cloud).read(it) })
        }
    }

    String export() {
        DumpSettings settings = DumpSettings.builder().setDefaultFlowStyle(FlowStyle.BLOCK).build()
        List clouds = Jenkins.get().clouds.collect { new Configurator(Cloud).write(it) }
        new Dump(settings, new Quoting(settings)).dumpToString(clouds ? [jenkins: [clouds: clouds]] : [:])
    }
    /** Maps merge key by key, lists are put together, and a scalar can be given only once. */
    private static Object merge(String path, Object all, Object more) {
        if (all instanceof Map && more instanceof Map) {
            return all + more.collectEntries { key, own ->
                [key, key in all ? merge("$path/$key", all[key], own) : own]
            }
        }
        if (all instanceof List && more instanceof List) {
            return all + more
        }
        throw new ConfiguratorException("Found conflicting configuration at $path")
    }
    /** Texts in quotes or, of several lines, as blocks; names plain. */
    @InheritConstructors private static class Quoting extends StandardRepresenter {
        @Override protected NodeTuple representMappingEntry(Map.Entry entry) {
            new NodeTuple(super.representScalar(Tag.STR, entry.key, ScalarStyle.PLAIN), representData(entry.value))
        }
        @Override protected Node representScalar(Tag tag, String text, ScalarStyle style) {
            ScalarStyle quoted = text.contains('\n') ? ScalarStyle.LITERAL : ScalarStyle.DOUBLE_QUOTED
            super.representScalar(tag, text, tag == Tag.STR ? quoted : style)
        }
    }
}

/**
 * Makes objects of a class, or of the classes below an abstract one, and tells what they are. An object can be told
 * the parameters of its @DataBound, and all that has a setter and a getter and is not deprecated.
 */
class Configurator {
    private static final String PLUGIN = 'org.csanchez.jenkins.plugins.kubernetes.'
    /** Most classes' symbol is their name. */
    private static final Map<String, String> SYMBOLS = [KubernetesCloud: 'kubernetes', KeyValueEnvVar: 'envVar',
        Overrides: 'override', DynamicPVCVolume: 'dynamicPVC', DynamicPVCWorkspaceVolume: 'dynamicPVC',
        GenericEphemeralWorkspaceVolume: 'genericEphemeralVolume']

    private final Class type
    private final Constructor constructor
    private final List<String> parameters
    private final Map<String, Type> attributes = new TreeMap<String, Type>()

    Configurator(Class type) {
        this.type = type
        constructor = type.constructors.find { it.isAnnotationPresent(DataBound) } ?: type.constructors.find()
        parameters = constructor?.getAnnotation(DataBound)?.value() ?: []
        type.methods.findAll { settable(it) }.each {
            attributes[it.name.substring(3).uncapitalize()] = it.genericParameterTypes[0]
        }
        parameters.eachWithIndex { name, i -> attributes[name] = constructor.genericParameterTypes[i] }
    }

    private boolean settable(Method setter) {
        String name = setter.name.find(/(?<=^set)[A-Z].*/)
        Method getter = type.methods.find { it.name in ["get$name", "is$name"]*.toString() }
        Type given = getter && setter.parameterCount == 1 ? setter.genericParameterTypes[0] : null
        boolean known = given in [int, Integer, Long, boolean, Boolean] || given == String && given == getter.returnType
        known |= given instanceof ParameterizedType ? given.rawType == List : given && (given.enum || ours(given))
        known && !type.declaredFields.any { it.name == name.uncapitalize() && it.isAnnotationPresent(Deprecated) }
    }

    static void refuse(Map given, Collection<String> known, String message) {
        Set unknown = given.keySet() - known
        if (unknown) {
            String valid = known.sort().join(', ')
            throw new ConfiguratorException("$message : ${unknown.join(', ')}.\nAvailable attributes : $valid")
        }
    }

    Object read(Object yaml) {
        if (Modifier.isAbstract(type.modifiers)) {
            Map given = yaml instanceof Map ? yaml : [(yaml): [:]]
            Map kinds = classes().findAll { type.isAssignableFrom(it) }.collectEntries { [symbol(it), it] }
            refuse(given, kinds.keySet(), "No $type.simpleName is called")
            return given.collect { symbol, content -> new Configurator(kinds[symbol]).read(content) }[0]
        }
        Map given = yaml ?: [:]
        refuse(given, attributes.keySet(), "Invalid configuration elements for type $type")
        Object made = constructor.newInstance(parameters.collect { value(given[it], attributes[it]) } as Object[])
        (attributes.keySet().intersect(given.keySet()) - parameters).each { name ->
            made[name] = value(given[name], attributes[name])
        }
        made
    }
    /** The constructor's parameters, and what differs from a new object made with these. */
    Object write(Object object) {
        if (Modifier.isAbstract(type.modifiers)) {
            Map told = new Configurator(object.class).write(object)
            return told ? [(symbol(object.class)): told] : symbol(object.class)
        }
        Object fresh = constructor.newInstance(parameters.collect { object[it] } as Object[])
        attributes.findAll { name, kind -> object[name] != null && (name in parameters || object[name] != fresh[name]) }
            .collectEntries { name, kind -> [name, tell(object[name], kind)] }.findAll { it.value != [] }
    }
    /** All of the plugin that objects can be made of. */
    private static List<Class> classes() {
        Path root = Paths.get(Configurator.getResource('/').toURI())
        List<String> files = Files.walk(root.resolve(PLUGIN.replace('.', '/'))).iterator()*.toString()
        List<String> names = files.findAll { it ==~ /[^$]*\.class/ }.collect { it - "$root/" - '.class' }
        names.collect { Class.forName(it.replace('/', '.')) }.findAll { !Modifier.isAbstract(it.modifiers) }
    }

    private static String symbol(Class type) { SYMBOLS[type.simpleName] ?: type.simpleName.uncapitalize() }
    private static boolean ours(Type type) { type.typeName.startsWith(PLUGIN) }
    private static Object value(Object yaml, Type type) {
        if (yaml == null || type instanceof ParameterizedType) {
            return yaml?.collect { value(it, type.actualTypeArguments[0]) }
        }
        if (ours(type)) {
            return new Configurator(type).read(yaml)
        }
        String text = yaml.replaceAll(/(\^?)\$\{([^}]*)}/) { all, caret, name -> caret ? all - '^' : variable(name) }
        type in [boolean, Boolean] ? Boolean.valueOf(text) : type == int ? Integer.valueOf(text) : text.asType(type)
    }
    private static String variable(String name) {
        if (!(name ==~ /\w+/)) {
            throw new UnsupportedOperationException("the stand-in looks up variables of the environment, not '$name'")
        }
        System.getenv(name) ?: ''
    }

    private static Object tell(Object value, Type type) {
        if (type instanceof ParameterizedType) {
            return value.collect { tell(it, type.actualTypeArguments[0]) }
        }
        if (ours(type)) {
            return new Configurator(type).write(value)
        }
        value instanceof Number || value instanceof Boolean ? value : value.toString().replace('${', '^${')
    }
}
