// Builds and pushes one container image with Kaniko, on an agent whose pod template `jenkins-kaniko sync` made.
//
// kanikoArguments turns options into the engine's arguments, kanikoFailure explains a failed build. CPS: what is
// annotated NonCPS is pure and calls no step, and nothing that cannot be saved with the build (a Matcher, a lazy
// JSON map) lives across a step.

import com.cloudbees.groovy.cps.NonCPS
import groovy.json.JsonSlurper
import jenkins.model.Jenkins

/** See kanikoBuild.txt. Returns image, tags, digest, ref (image@digest), engine and seconds. */
def call(Map given = [:]) {
    Map table = parsed(libraryResource(resource: 'jenkins_kaniko/engines.json', encoding: 'UTF-8'))
    Map options = checked(given, null, table)
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

/** All mistakes at once; builder is null as long as nobody knows which one it will be. */
private Map checked(Map given, Map builder, Map table) {
    String problem = kanikoArguments.problems(given, builder, table)
    if (problem) {
        error("kanikoBuild: ${problem}")
    }
    return kanikoArguments.complete(given, table)
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
            checked(options, place, table)
            List<String> command = kanikoArguments.argv(options, place, table)
            long start = System.currentTimeMillis()
            int status = sh(label: 'kanikoBuild: build and push', returnStatus: true, script: script(command, scratch))
            if (status != 0) {
                fail(options, place, status, scratch)
            }
            // the engine writes the digest before it pushes: it counts only after exit 0
            String digest = readFile("${scratch}/digest").trim()
            result = summary(kanikoArguments.target(options), digest, System.currentTimeMillis() - start)
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
    String dockerfile = kanikoArguments.dockerfile(options, place)
    boolean there = dockerfile && fileExists(dockerfile)
    String text = there ? readFile(file: dockerfile, encoding: 'UTF-8') : ''
    if (dockerfile && !there) {
        error("kanikoBuild: ${options.image}: there is no ${dockerfile}; dockerfile: is a path below context:")
    }
    error("kanikoBuild: ${options.image}: ${kanikoFailure.explanation(log, text, dockerfile, status)}")
}

@NonCPS
private Map parsed(String json) {
    return plain(new JsonSlurper().parseText(json))
}

/** JsonSlurper's maps cannot be saved with the build; JsonSlurperClassic's can, but the sandbox refuses it. */
@NonCPS
private def plain(value) {
    if (value instanceof Map) {
        return value.collectEntries { key, item -> [key, plain(item)] }
    }
    return value instanceof List ? value.collect { plain(it) } : value
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
    return [
        distribution: found.JENKINS_KANIKO_DISTRIBUTION,
        version: found.JENKINS_KANIKO_VERSION,
        cacheRepo: found.JENKINS_KANIKO_CACHE_REPO,
        cacheTtl: found.JENKINS_KANIKO_CACHE_TTL,
    ]
}

// --- results -------------------------------------------------------------------------------------------------

@NonCPS
private Map summary(Map target, String digest, long milliseconds) {
    return target + [
        digest: digest,
        ref: target.image + '@' + digest,
        engine: 'kaniko',
        seconds: milliseconds.intdiv(1000).toString(),
    ]
}
