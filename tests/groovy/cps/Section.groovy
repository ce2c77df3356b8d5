import groovy.json.JsonSlurper
import groovy.transform.TupleConstructor

/**
 * What one block of a declarative pipeline says: its closure runs with a Section as first delegate, which notes each
 * known name with its arguments, and each assignment. Other names are mistakes, or the script's where the table has no
 * word for a mistake. In a rehearsal unknown values are this object: a block can be read before its variables exist.
 */
@TupleConstructor(includeFields = true, includes = ['kind', 'mistakes', 'variables'])
class Section extends GroovyObjectSupport implements Serializable {
    /** Kind -> known names, post conditions in the order in which they are tried, and the word for other names. */
    private static final Map TABLE = new JsonSlurper().parse(Section.getResource('/declarative.json'), 'UTF-8')
    private final String kind
    private final List<String> mistakes
    /** What env holds; null in a rehearsal. */
    private final Map<String, String> variables
    final List<Map> calls = []
    final Map<String, Object> assigned = [:]

    @NonCPS static List<String> known(String kind) { TABLE[kind].known.tokenize() }

    /** Name -> last argument (true without one), for blocks that say everything once. */
    @NonCPS Map settings() { calls.collectEntries { [(it.name): it.args ? it.args.last() : true] } }

    @NonCPS
    Object invokeMethod(String name, Object arguments) {
        if (name in known(kind)) {
            calls << [name: name, args: arguments.toList()]
            return calls.last()
        }
        String word = TABLE[name in known('not played') ? 'not played' : kind].other
        if (TABLE[kind].other) {
            mistakes << String.format(word, name, known(kind).join(', '))
        } else if (variables != null) {
            throw new MissingMethodException(name, Section, arguments)
        }
        return this
    }

    /** The condition `equals expected: …`; a category sends it here, for closures have an equals of their own. */
    @NonCPS Object equals(Map arguments) { invokeMethod('equals', [arguments] as Object[]) }

    @NonCPS
    Object getProperty(String name) {
        Map seen = [any: 'any', none: 'none'] + assigned.findAll { it.value instanceof String }
        seen += kind == 'environment' && variables ? [env: variables + seen] : [:]
        if (variables != null && !seen.containsKey(name)) {
            throw new MissingPropertyException(name, Binding)
        }
        return seen.containsKey(name) ? seen[name] : this
    }

    @NonCPS
    void setProperty(String name, Object value) { assigned[name] = value instanceof Map ? value : value.toString() }
}
