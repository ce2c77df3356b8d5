// Builds and pushes one container image with Kaniko, on an agent whose pod template `jenkins-kaniko sync` made.
//
// Options become arguments by the table in engines.json, which jenkins_kaniko/engines.py reads too; the vectors
// in tests/vectors keep both alike. CPS: what is annotated NonCPS is pure and calls no step, and nothing that
// cannot be saved with the build (a Matcher, a lazy JSON map) lives across a step.

import com.cloudbees.groovy.cps.NonCPS
import groovy.json.JsonSlurperClassic
import jenkins.model.Jenkins

/** See kanikoBuild.txt. Returns image, tags, digest, ref (image@digest), engine and seconds. */
def call(Map options = [:]) {
    Map table = parsed(libraryResource(resource: 'jenkins_kaniko/engines.json', encoding: 'UTF-8'))
    String problem = problems(options, table)
    if (problem) {
        error("kanikoBuild: ${problem}")
    }
    if (env.NODE_NAME != null) {
        return build(options, table)
    }
    String agent = options.agent ?: 'kaniko'
    if (nobodyProvides(agent)) {
        error("kanikoBuild: no pod template on this controller has the label '${agent}'. " +
            "Bring it there with 'jenkins-kaniko sync', or name another one with agent:")
    }
    Map result = null
    node(agent) {
        checkout(scm)
        result = build(options, table)
    }
    return result
}

private Map build(Map options, Map table) {
    Map engine = table.engines.kaniko
    String workspace = pwd()
    // outside the workspace, so that `COPY . .` never takes it; one of its own, as builds may run side by side
    String scratch = "${pwd(tmp: true)}/kaniko-${UUID.randomUUID()}"
    Map result = null
    container(name: 'kaniko', shell: engine.shell) {
        try {
            Map place = [workspace: workspace, digestFile: "${scratch}/digest".toString()]
            place += templateFacts(sh(label: 'kanikoBuild: prepare', returnStdout: true, script: preparation(scratch)))
            List<String> command = argv(options, place, table)
            long start = System.currentTimeMillis()
            int status = sh(label: 'kanikoBuild: build and push', returnStatus: true, script: script(command, scratch))
            if (status != 0) {
                fail(options, place, status, scratch)
            }
            // the engine writes the digest before it pushes: it counts only after exit 0
            String digest = readFile("${scratch}/digest").trim()
            result = summary(options, digest, System.currentTimeMillis() - start)
        } finally {
            tidyUp(scratch)
        }
    }
    echo("kanikoBuild: pushed ${result.ref} in ${result.seconds} s")
    return result
}

/** Where the container is gone, the reason of that must reach the author, not that nothing could be removed. */
private void tidyUp(String scratch) {
    try {
        sh(label: 'kanikoBuild: tidy up', script: "set +x; rm -rf ${quoted(scratch)}")
    } catch (Exception gone) {
        echo("kanikoBuild: ${scratch} was not removed: ${gone.message}")
    }
}

private void fail(Map options, Map place, int status, String scratch) {
    String log = sh(label: 'kanikoBuild: why', returnStdout: true, script: "set +x; tail -c 20000 ${quoted(scratch)}/log")
    String dockerfile = values(options, place).dockerfile
    boolean there = dockerfile && fileExists(dockerfile)
    String text = there ? readFile(file: dockerfile, encoding: 'UTF-8') : ''
    if (dockerfile && !there) {
        error("kanikoBuild: ${options.image}: there is no ${dockerfile}; dockerfile: is a path below context:")
    }
    error("kanikoBuild: ${options.image}: ${explanation(log, text, dockerfile, status)}")
}

@NonCPS
private Map parsed(String json) {
    return new JsonSlurperClassic().parseText(json)
}

/**
 * Whether the controller knows for sure that no cloud and no agent has this label: `node` would wait for ever.
 * A sandboxed library may not ask; then it is not known.
 */
@NonCPS
private boolean nobodyProvides(String label) {
    try {
        def found = Jenkins.get().getLabel(label)
        return found == null || (found.isEmpty() && found.clouds.isEmpty())
    } catch (Exception refused) {
        return false
    }
}

// --- what runs in the container ------------------------------------------------------------------------------

@NonCPS
private String preparation(String scratch) {
    return "set +x; mkdir -p ${quoted(scratch)}; env | grep ^JENKINS_KANIKO_ || true"
}

/** The engine's exit code survives the pipe; colours go, because a build log shows them as garbage. */
@NonCPS
private String script(List<String> command, String scratch) {
    String words = command.collect { quoted(it) }.join(' ')
    return """set +ex
cd ${quoted(scratch)}
{ ${words} 2>&1; echo \$? > status; } | awk '{ gsub(/\\033\\[[0-9;]*m/, ""); print; fflush() }' | tee log
exit "\$(cat status)"
"""
}

/** One word for a shell: single quotes closed, escaped, reopened (recorded to arrive unchanged in every shell). */
@NonCPS
String quoted(String word) {
    return "'" + word.replace("'", "'\\''") + "'"
}

@NonCPS
private Map templateFacts(String environment) {
    Map found = [:]
    environment.readLines().each { line ->
        int at = line.indexOf('=')
        if (at > 0) {
            found[line.substring(0, at)] = line.substring(at + 1).trim()
        }
    }
    return [cacheRepo: found.JENKINS_KANIKO_CACHE_REPO, cacheTtl: found.JENKINS_KANIKO_CACHE_TTL]
}

// --- options -> arguments ------------------------------------------------------------------------------------

/** The engine's command; place holds workspace, digestFile, cacheRepo and cacheTtl. Fails on wrong options. */
@NonCPS
List<String> argv(Map options, Map place, Map table) {
    String problem = problems(options, table)
    if (problem) {
        throw new IllegalArgumentException(problem)
    }
    Map engine = table.engines.kaniko
    Map values = values(options, place)
    List<String> result = [engine.executor]
    engine.options.each { row -> result.addAll(arguments(row, values[row.option])) }
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

@NonCPS
private Map values(Map options, Map place) {
    String context = options.context ?: '.'
    boolean remote = context ==~ /(?s)[a-z0-9]+:\/\/.*/
    String folder = joined(place.workspace, context)
    String dockerfile = options.dockerfile ?: (remote ? null : 'Dockerfile')
    return [
        context: remote ? context : 'dir://' + folder,
        dockerfile: remote ? dockerfile : joined(folder, dockerfile),
        target: options.target,
        destinations: destinations(options.image.toString(), options.tags ?: []),
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

/** Every reference to push, each once: the image's own tag first, latest when there is no tag. */
@NonCPS
private List<String> destinations(String image, List tags) {
    String own = tagOf(image)
    List<String> names = ((own ? [own] : []) + tags.collect { it.toString() }).unique(false)
    return (names ?: ['latest']).collect { repositoryOf(image) + ':' + it }
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

// --- wrong options -------------------------------------------------------------------------------------------

/** All mistakes in one text, empty when there is none. */
@NonCPS
private String problems(Map options, Map table) {
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

// --- results -------------------------------------------------------------------------------------------------

@NonCPS
private Map summary(Map options, String digest, long milliseconds) {
    String repository = repositoryOf(options.image.toString())
    List<String> references = destinations(options.image.toString(), options.tags ?: [])
    return [
        image: repository,
        tags: references.collect { tagOf(it) },
        digest: digest,
        ref: repository + '@' + digest,
        engine: 'kaniko',
        seconds: (milliseconds.intdiv(1000)).toString(),
    ]
}

/** What failed and where: the engine's own last word, and the Dockerfile's line it was at. */
@NonCPS
String explanation(String log, String dockerfile, String path, int status) {
    List<String> lines = log.readLines()
    List<String> source = dockerfile.readLines()
    String cause = last(lines, /^(error |Error: |FATA|ERRO|kaniko should).*/) ?: last(lines, /.*\S.*/)
    List<String> said = ["build failed (exit code ${status})".toString()]
    int line = failingLine(lines, cause ?: '', source)
    if (line > 0) {
        said.add("at ${path}:${line}: ${source[line - 1].trim()}".toString())
    }
    said.add("cause: ${cause ?: 'the engine said nothing'}".toString())
    return said.join('\n  ')
}

/** The line that the engine names, or that takes what it misses, or that it announced last; 0 if none. */
@NonCPS
private int failingLine(List<String> log, String cause, List<String> source) {
    List<String> named = groups(cause, /parse error on line (\d+)/)
    if (named) {
        return Math.min(named[1] as int, source.size())
    }
    List<String> missing = groups(cause, /(?:lstat|stat|open) \S*?([^\s\/]+): no such file/)
    if (missing) {
        return source.findIndexOf { it ==~ /(?i)\s*(COPY|ADD)\s.*/ && it.contains(missing[1]) } + 1
    }
    String announced = last(log, /INFO\[\d+\] (RUN|COPY|ADD|WORKDIR|USER|FROM) .*/)
    if (announced == null) {
        return 0
    }
    String instruction = announced.replaceFirst(/^INFO\[\d+\] /, '').trim()
    return source.findIndexOf { it.trim() && instruction.startsWith(it.trim().replaceAll(/\s*\\$/, '')) } + 1
}

@NonCPS
private String last(List<String> lines, String pattern) {
    List<String> found = lines.findAll { it ==~ pattern }
    return found ? found.last() : null
}

@NonCPS
private List<String> groups(String text, String pattern) {
    def matcher = text =~ pattern
    return matcher.find() ? (0..matcher.groupCount()).collect { matcher.group(it) } : []
}
