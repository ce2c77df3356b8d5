// Options of a build, as their author gives them -> what is wrong with them, and the same with their defaults. Pure.
//
// The table in engines.json says what is right; jenkins_kaniko/options.py reads it too, and the vectors in
// tests/vectors keep both alike.

import com.cloudbees.groovy.cps.NonCPS

/** Options without nulls, with the table's defaults, each GString a String: what the other methods here take. */
@NonCPS
Map complete(Map options, Map table) {
    Map defaults = table.options.findAll { it.containsKey('default') }.collectEntries { [it.option, it['default']] }
    return plain(defaults) + plain(options.findAll { it.value != null })
}

/** A GString would be saved with the closures of the Jenkinsfile it comes from. */
@NonCPS
private plain(value) {
    if (value instanceof Map) {
        // a variable that is not set has no name either, not the name null
        return value.collectEntries { name, item -> [name == null ? '' : name.toString(), plain(item)] }
    }
    if (value instanceof Collection || value instanceof Object[]) { // 'a,b'.split(',') is an array
        return value.collect { plain(it) }
    }
    return value instanceof CharSequence ? value.toString() : value
}

/**
 * All mistakes in one text, empty when there is none. Takes options as their author gives them, too. builder holds
 * distribution and version of the image that will run (both null for an unknown one), or is null: not known yet.
 */
@NonCPS
String problems(Map options, Map builder, Map table) {
    Map given = complete(options, table)
    List<String> found = unknown('unknown option', given, table.options)
    table.options.each { row ->
        if (given.containsKey(row.option)) {
            List<String> form = ofForm('option ' + row.option, row, given[row.option], table)
            found.addAll(form ?: ofEngine(row.option, given, builder, table))
        } else if (row.required) {
            found.add('option ' + row.option + ' is required')
        }
    }
    return found.join('; ')
}

@NonCPS
private List<String> ofForm(String where, Map row, value, Map table) {
    if (!row.type.split(' or ').any { fits(it, value) }) {
        return [where + ': ' + table.types[row.type] + ' is expected' + nullIn(value)]
    }
    if (value instanceof Map) {
        return row.keys ? ofKeys(where, row, value, table) : ofMap(where, row, value, table)
    }
    return against(row.rules ?: [], where, value instanceof List ? value : [value])
}

@NonCPS
private List<String> ofKeys(String where, Map row, Map value, Map table) {
    List<String> found = unknown(where + ': unknown key', value, row.keys)
    row.keys.findAll { value.containsKey(it.option) }.each { key ->
        found.addAll(ofForm(where + '.' + key.option, key, value[key.option], table))
    }
    return found
}

@NonCPS
private List<String> ofMap(String where, Map row, Map value, Map table) {
    List<String> found = against(row.names, where, value.keySet().toList())
    value.each { name, item -> found.addAll(ofForm(where + '.' + name, [type: row.values], item, table)) }
    return found
}

/** A variable that is not set is the most frequent mistake, and looks right in a Jenkinsfile. */
@NonCPS
private String nullIn(value) {
    if (value instanceof List) {
        return value.contains(null) ? ', without null' : ''
    }
    return value == null ? ', not null' : ''
}

/** For each item, what the first rule says that it does not match. */
@NonCPS
private List<String> against(List<Map> rules, String where, List items) {
    List<String> found = []
    items.each { item ->
        Map broken = rules.find { !item.toString().matches(it.pattern) }
        if (broken) {
            found.add(where + ": '" + item + "' " + broken.says)
        }
    }
    return found
}

@NonCPS
private boolean fits(String type, value) {
    switch (type) {
        case 'text': return value instanceof String && value != ''
        case 'texts': return value instanceof List && value.every { it instanceof String }
        case 'boolean': return value instanceof Boolean
        case 'integer': return value instanceof Number && value.toString().matches('-?[0-9]+')
        case 'minutes': return value instanceof Number && value > 0
        case 'value': return value instanceof String || value instanceof Number || value instanceof Boolean
        default: return value instanceof Map
    }
}

/** What is wrong with each name that no row has, with the nearest one that there is. */
@NonCPS
List<String> unknown(String what, Map names, List<Map> rows) {
    List<String> valid = rows.collect { it.option }.sort()
    return names.keySet().collect { it.toString() }.findAll { !valid.contains(it) }.collect { name ->
        what + ' ' + name + hint(name, valid) + ' (valid: ' + valid.join(', ') + ')'
    }
}

/** The nearest valid name, when at most two letters of it are wrong, missing or too many. */
@NonCPS
private String hint(String name, List<String> valid) {
    String near = valid.find { within(1, name, it) } ?: valid.find { within(2, name, it) }
    return near ? '; did you mean ' + near + '?' : ''
}

@NonCPS
private boolean within(int edits, String left, String right) {
    if (left == right) {
        return true
    }
    if (left.take(1) == right.take(1)) {
        return within(edits, left.drop(1), right.drop(1))
    }
    return edits > 0 && (within(edits - 1, left.drop(1), right.drop(1)) ||
        within(edits - 1, left.drop(1), right) || within(edits - 1, left, right.drop(1)))
}

// --- what the engine has ---------------------------------------------------------------------------------------------

/** The engine that the options name; the default one where they name none, or one there is not. */
@NonCPS
private Map engineOf(Map options, Map table) {
    return table.engines[options.engine.toString()] ?: table.engines.kaniko
}

@NonCPS
private List<String> ofEngine(String name, Map options, Map builder, Map table) {
    def value = options[name]
    Map engine = engineOf(options, table)
    if (name == 'engine' && !table.engines.containsKey(value)) {
        List<String> valid = table.engines.keySet().sort()
        return ["option engine: '" + value + "' is not an engine (valid: " + valid.join(', ') + ')']
    }
    if (name == 'platforms' && value.size() > 1) {
        return ['option platforms: several platforms (an image index) cannot be built yet; name one']
    }
    List<String> said
    if (name == 'extraArgs') {
        List<String> flags = value.collect { it.split('=')[0] }
        said = flags.collect { owned(it, engine) ?: gate(it, engine, builder) }
    } else {
        List<Map> rows = value ? engine.arguments.findAll { it.options.contains(name) } : []
        said = rows.collect { gate(it.flag, engine, builder) }
    }
    return said.findAll { it }.collect { 'option ' + name + ': ' + it }
}

@NonCPS
private String owned(String flag, Map engine) {
    String own = engine.flags[flag]?.own
    return own ? flag + ' is set by the step itself; ' + own : null
}

/** Why the builder refuses a flag, by the versions in engines.json; null where it does not. */
@NonCPS
private String gate(String flag, Map engine, Map builder) {
    Map facts = engine.flags[flag]
    if (facts == null || builder == null) {
        return null
    }
    String fork = builder.distribution ?: ''
    String version = builder.version ?: ''
    String runs = "; the template's builder is " + (fork && version ? fork + ' ' + version :
        'an image whose distribution and version the template does not name')
    Map since = facts.since
    if (since && !(since[fork] && numbers(version) >= numbers(since[fork]))) {
        return flag + ' needs ' + since.collect { it.key + ' ' + it.value }.join(' or ') + ' or later' + runs
    }
    if (facts.until && numbers(version) >= numbers(facts.until)) {
        return flag + ' is gone since ' + facts.until + ', write ' + facts.now + runs
    }
    return null
}

/** The numbers of a version, in a text that sorts as they do. */
@NonCPS
private String numbers(String version) {
    return version.replaceAll('[^0-9]+', ' ').trim().split(' ').collect { it.padLeft(9, '0') }.join('.')
}
