// Options of a build -> the engine's arguments, by the table in engines.json. Pure: calls no step.
//
// Takes what kanikoOptions has found no mistake in. jenkins_kaniko/engines.py reads the same table; the vectors in
// tests/vectors keep both alike.

import com.cloudbees.groovy.cps.NonCPS

/**
 * The engine's command, for options without problems. place holds workspace and digestFile, and where there are such
 * cacheRepo, cacheTtl, labels, archive (instead of a push), secrets (id -> env=NAME or src=/path) and lessMemory.
 */
@NonCPS
List<String> argv(Map options, Map place, Map table) {
    Map engine = table.engines[options.engine ?: 'kaniko']
    Map given = values(options, place)
    List<String> result = [engine.executor]
    engine.arguments.each { row -> result.addAll(arguments(row, given[row.value])) }
    return result + options.extraArgs
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
    String folder = contextFolder(options, place)
    return folder ? joined(folder, dockerfileOf(options)) : null
}

/** Where the build context is, absolute; null when the engine fetches it. */
@NonCPS
String contextFolder(Map options, Map place) {
    return isRemote(options.context) ? null : joined(place.workspace, options.context)
}

@NonCPS
private String dockerfileOf(Map options) {
    return options.dockerfile ?: (isRemote(options.context) ? null : 'Dockerfile')
}

/** Whether the engine fetches the build context itself, from a URL. */
@NonCPS
boolean isRemote(String context) {
    return context ==~ /[a-z0-9]+:\/\/[\s\S]*/
}

@NonCPS
private Map values(Map options, Map place) {
    boolean remote = isRemote(options.context)
    return [
        context: remote ? options.context : 'dir://' + contextFolder(options, place),
        dockerfile: remote ? dockerfileOf(options) : dockerfile(options, place),
        target: options.target,
        platforms: options.platforms,
        destinations: destinations(options),
        noPush: !options.push,
        archive: options.push ? null : place.archive,
        buildArgs: options.buildArgs,
        labels: (place.labels ?: [:]) + options.labels,
        annotations: options.annotations,
        secrets: (place.secrets ?: [:]).collect { id, source -> 'id=' + id + ',' + source },
        compressedCaching: place.lessMemory ? 'false' : null,
        retries: options.retries ?: null,
        cleanup: true,
        digestFile: place.digestFile,
    ] + cacheValues(options, place)
}

@NonCPS
private Map cacheValues(Map options, Map place) {
    Map own = options.cache instanceof Map ? options.cache : [:]
    String repo = own.repo ?: place.cacheRepo
    // without a push there is no place beside the image, and Kaniko refuses a cache without a place
    if (options.cache == false || !(repo || options.push)) {
        return [:]
    }
    return [
        cache: true,
        cacheRepo: repo,
        cacheTtl: own.ttl ?: place.cacheTtl,
        cacheCopyLayers: own.copyLayers ?: false,
    ]
}

/** What the options push to: image (the repository) and tags, each once, the image's own first, latest for none. */
@NonCPS
Map target(Map options) {
    String own = tagOf(options.image)
    List<String> tags = ((own ? [own] : []) + options.tags).unique(false)
    return [image: repositoryOf(options.image), tags: tags ?: ['latest']]
}

/** Of an image that is not pushed: a name for each image. No registry, repository or tag has a plus sign. */
@NonCPS
String archiveName(Map options) {
    Map pushed = target(options)
    return (pushed.image + ':' + pushed.tags[0]).replaceAll('[/:]', '+') + '.tar'
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
