// Options of a build -> the engine's arguments, by the table in engines.json. Pure: calls no step.
//
// jenkins_kaniko/engines.py reads the same table; the vectors in tests/vectors keep both alike.

import com.cloudbees.groovy.cps.NonCPS

/** The engine's command; place holds workspace, digestFile, cacheRepo and cacheTtl. Fails on wrong options. */
@NonCPS
List<String> argv(Map options, Map place, Map table) {
    String problem = problems(options, table)
    if (problem) {
        throw new IllegalArgumentException(problem)
    }
    Map engine = table.engines.kaniko
    Map given = values(options, place)
    List<String> result = [engine.executor]
    engine.options.each { row -> result.addAll(arguments(row, given[row.option])) }
    return result
}

@NonCPS
private List<String> arguments(Map row, value) {
    if (value == null || value == false) {
        return []
    }
    String flag = row.flag
    switch (row.kind) {
        case 'switch': return [flag]
        case 'value': return [flag + '=' + value]
        case 'repeated': return value.collect { flag + '=' + it }
        default: return value.collect { name, item -> flag + '=' + name + '=' + item }
    }
}

/** Where the Dockerfile of a build is, absolute; null when that is the engine's business. */
@NonCPS
String dockerfile(Map options, Map place) {
    return isRemote(options) ? null : values(options, place).dockerfile
}

@NonCPS
private boolean isRemote(Map options) {
    return (options.context ?: '.') ==~ /(?s)[a-z0-9]+:\/\/.*/
}

@NonCPS
private Map values(Map options, Map place) {
    String context = options.context ?: '.'
    boolean remote = isRemote(options)
    String folder = joined(place.workspace, context)
    String dockerfile = options.dockerfile ?: (remote ? null : 'Dockerfile')
    return [
        context: remote ? context : 'dir://' + folder,
        dockerfile: remote ? dockerfile : joined(folder, dockerfile),
        target: options.target,
        destinations: destinations(options),
        buildArgs: options.buildArgs ?: [:],
        cleanup: true,
        digestFile: place.digestFile,
    ] + cacheValues(options.cache == null ? true : options.cache, place)
}

@NonCPS
private Map cacheValues(cache, Map place) {
    if (cache == false) {
        return [:]
    }
    Map own = cache instanceof Map ? cache : [:]
    return [
        cache: true,
        cacheRepo: own.repo ?: place.cacheRepo,
        cacheTtl: own.ttl ?: place.cacheTtl,
        cacheCopyLayers: own.copyLayers ?: false,
    ]
}

/** What the options push to: image (the repository) and tags, each once, the image's own first, latest for none. */
@NonCPS
Map target(Map options) {
    String image = options.image.toString()
    String own = tagOf(image)
    List<String> tags = ((own ? [own] : []) + (options.tags ?: []).collect { it.toString() }).unique(false)
    return [image: repositoryOf(image), tags: tags ?: ['latest']]
}

@NonCPS
private List<String> destinations(Map options) {
    Map pushed = target(options)
    return pushed.tags.collect { pushed.image + ':' + it }
}

/** A colon before the last slash belongs to the registry's port. */
@NonCPS
private String tagOf(String image) {
    int colon = image.lastIndexOf(':')
    return colon > image.lastIndexOf('/') ? image.substring(colon + 1) : null
}

@NonCPS
private String repositoryOf(String image) {
    return tagOf(image) == null ? image : image.substring(0, image.lastIndexOf(':'))
}

@NonCPS
private String joined(String folder, String path) {
    return path.startsWith('/') ? path : (path == '.' ? folder : folder + '/' + path)
}

// --- wrong options ---------------------------------------------------------------------------------------------------

/** All mistakes in one text, empty when there is none. */
@NonCPS
String problems(Map options, Map table) {
    Map given = options.findAll { it.value != null }
    List<String> known = table.options*.option
    List<String> found = given.keySet().findAll { !(it.toString() in known) }.collect {
        "unknown option ${it} (valid: ${known.sort(false).join(', ')})".toString()
    }
    table.options.findAll { given.containsKey(it.option) }.each { row ->
        found.addAll(wrongForm(row.option, row.type, given[row.option]))
    }
    if (!given.containsKey('image')) {
        found.add('option image is required')
    }
    return found.join('; ')
}

@NonCPS
private List<String> wrongForm(String name, String type, value) {
    if (type == 'text' && !(value instanceof CharSequence && value)) {
        return ["option ${name}: a text is expected".toString()]
    }
    if (type == 'texts' && !(value instanceof List && value.every { it instanceof CharSequence })) {
        return ["option ${name}: a list of texts is expected".toString()]
    }
    if (type == 'map' && !(value instanceof Map)) {
        return ["option ${name}: a map is expected".toString()]
    }
    if (type == 'cache') {
        return wrongCache(value)
    }
    if (name == 'image') {
        return wrongImage(value.toString())
    }
    if (name == 'tags') {
        return value.findAll { !isTag(it.toString()) }.collect { "option tags: '${it}' is not a tag".toString() }
    }
    return []
}

@NonCPS
private List<String> wrongCache(cache) {
    List<String> valid = ['copyLayers', 'repo', 'ttl']
    if (cache instanceof Boolean) {
        return []
    }
    if (!(cache instanceof Map)) {
        return ['option cache: true, false or a map is expected']
    }
    return cache.keySet().findAll { !(it.toString() in valid) }.collect {
        "option cache: unknown key ${it} (valid: ${valid.join(', ')})".toString()
    }
}

@NonCPS
private List<String> wrongImage(String image) {
    if (image.contains('@')) {
        return ["option image: '${image}' names a digest; a push needs a repository or a tag".toString()]
    }
    boolean wrong = !repositoryOf(image) || image =~ /\s/ || (tagOf(image) != null && !isTag(tagOf(image)))
    return wrong ? ["option image: '${image}' is not a repository or repository:tag".toString()] : []
}

@NonCPS
private boolean isTag(String text) {
    return text ==~ /[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}/
}
