// The builder container of an agent: runs the engine there by way of scripts/kaniko.sh, which keeps builds apart.

import com.cloudbees.groovy.cps.NonCPS
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

/** What this agent's builder is told: template, distribution, version, cacheRepo, cacheTtl; null if there is none. */
Map found(Map options, Map table) {
    String label = options.agent ?: options.engine ?: 'kaniko'
    String printed = ''
    try {
        inContainer(table) {
            printed = sh(label: 'kanikoBuild: look', returnStdout: true, script: program('look', []))
        }
    } catch (FlowInterruptedException stopped) {
        throw stopped
    } catch (Exception missing) {
        if (label in (env.NODE_LABELS ?: '').tokenize()) {
            error("kanikoBuild: ${explained([exception: described(missing)]).text}")
        }
        echo("kanikoBuild: no builder container on this agent; the build goes to an agent '${label}'")
        return null
    }
    Map facts = lines(printed)
    return [template: facts.JENKINS_KANIKO_TEMPLATE,
            distribution: facts.JENKINS_KANIKO_DISTRIBUTION, version: facts.JENKINS_KANIKO_VERSION,
            cacheRepo: facts.JENKINS_KANIKO_CACHE_REPO, cacheTtl: facts.JENKINS_KANIKO_CACHE_TTL]
}

/**
 * Builds and pushes; what can pass is tried again. builder: what found() told, labels, lessMemory.
 * Returns [result: …] or [failure: what kanikoFailure says].
 */
Map build(Map options, Map builder, Map table) {
    String archive = "${pwd()}/${kanikoArguments.archiveName(options)}".toString()
    Map place = builder + [workspace: pwd(), archive: archive]
    // What is beside the current folder is in the build context when that is above it; beside the workspace it is not.
    // Jenkins puts its own files there too: scripts, and what withCredentials binds as files.
    return dir(env.WORKSPACE ?: pwd()) {
        return buildBeside(pwd(tmp: true), options, place, table)
    }
}

private Map buildBeside(String temporary, Map options, Map place, Map table) {
    String context = kanikoArguments.contextFolder(options, place)
    if ((options.credentialsId || options.secrets) && context && holds(context, temporary)) {
        error("kanikoBuild: context '${options.context}' holds ${temporary}, where the credentials of the build are; " +
            'name a folder of the workspace, or one that does not hold that one')
    }
    // one of its own, as builds may run side by side
    String scratch = "${temporary}/kaniko-${UUID.randomUUID()}"
    Map outcome = null
    // made by the agent, which may be another user than the builder's and could not remove it otherwise
    writeFile(file: "${scratch}/outcome", text: '')
    inContainer(table) {
        try {
            kanikoCredentials.bound(options, scratch) { Map login ->
                Map all = place + [digestFile: "${scratch}/digest".toString(), secrets: login.secrets]
                outcome = inTime(options, all, login, scratch, table)
            }
        } finally {
            tidyUp(outcome, scratch)
        }
    }
    return outcome
}

private Map inTime(Map options, Map place, Map login, String scratch, Map table) {
    long start = System.currentTimeMillis()
    long limit = (options.timeoutMinutes * 60000) as long
    Map outcome = null
    try {
        timeout(time: limit, unit: 'MILLISECONDS') {
            withEnv(literal(login.env + environment(options))) {
                outcome = attempts(options, place, login.script, scratch, table)
            }
        }
    } catch (FlowInterruptedException stopped) {
        if (System.currentTimeMillis() - start < limit) {
            throw stopped
        }
        String said = "timed out after ${options.timeoutMinutes} minutes"
        outcome = [stopped: true, failure: explained([exception: said])]
    }
    return outcome
}

private Map attempts(Map options, Map place, String login, String scratch, Map table) {
    List<String> command = kanikoArguments.argv(options, place, table)
    String script = program("${login}\nbuild", [env.BUILD_TAG ?: '', scratch] + command)
    Map failure = null
    for (int attempt = 0; attempt <= options.retries; attempt++) {
        if (attempt > 0) {
            int seconds = 5 * attempt * attempt
            String next = "attempt ${attempt + 1} of ${options.retries + 1} in ${seconds} s"
            echo("kanikoBuild: ${options.image}: ${failure.cause}; ${next}")
            sleep(seconds)
        }
        long start = System.currentTimeMillis()
        int status = sh(label: 'kanikoBuild: build and push', returnStatus: true, script: script)
        String told = readFile(file: "${scratch}/outcome", encoding: 'UTF-8')
        Map report = lines(told)
        if (report.state) {
            return [failure: refused(report.state)]
        }
        if (status == 0 && report.digest) {
            Map target = kanikoArguments.target(options)
            return [result: kanikoResult.made(target, options, place, report, System.currentTimeMillis() - start)]
        }
        failure = failureOf(options, place, status, logOf(told))
        if (failure.retry != 'again') {
            break
        }
        if (status < 0) {
            // Jenkins lost sight of the engine, which may run on and would keep the container busy
            sh(label: 'kanikoBuild: clean up', script: program('release', [scratch]))
        }
    }
    // where the credentials are bound, and masked
    echo("kanikoBuild: ${options.image}: ${failure.whole}")
    return [failure: failure]
}

private Map failureOf(Map options, Map place, int status, String log) {
    String path = kanikoArguments.dockerfile(options, place)
    return explained([log: log, exitCode: status, path: path, dockerfile: path ? textOf(path) : null])
}

/** Null where there is no such file, or a folder. */
private String textOf(String path) {
    try {
        return readFile(file: path, encoding: 'UTF-8')
    } catch (FlowInterruptedException stopped) {
        throw stopped
    } catch (Exception unreadable) {
        return null
    }
}

/** What kanikoFailure says of a failure. */
Map explained(Map seen) {
    return kanikoFailure.explained(seen, kanikoTable.read('diagnoses.json'))
}

/** Where the container is gone the reason of that must reach the author, not that nothing could be tidied up. */
private void tidyUp(Map outcome, String scratch) {
    try {
        if (outcome == null || outcome.stopped) {
            sh(label: 'kanikoBuild: clean up', script: program('release', [scratch]))
        }
        dir(scratch) {
            deleteDir()
        }
    } catch (Exception gone) {
        echo("kanikoBuild: ${scratch} was not removed: ${gone.message}")
    }
}

private def inContainer(Map table, Closure body) {
    return container([name: 'kaniko', shell: table.engines.kaniko.shell], body)
}

private String program(String verb, List<String> words) {
    String script = libraryResource(resource: 'jenkins_kaniko/scripts/kaniko.sh', encoding: 'UTF-8')
    return "${script}\n${verb} ${allQuoted(words)}"
}

@NonCPS
private String allQuoted(List<String> words) {
    return words.collect { quoted(it) }.join(' ')
}

/** One word for a shell: single quotes closed, escaped, reopened (recorded to arrive unchanged in every shell). */
@NonCPS
String quoted(String word) {
    return "'" + word.replace("'", "'\\''") + "'"
}

@NonCPS
private List<String> environment(Map options) {
    return options.env.collect { name, value -> "${name}=${value}".toString() }
}

/** For withEnv, which puts in the value of a variable where one dollar sign is before its name. */
@NonCPS
private List<String> literal(List<String> variables) {
    return variables.collect { it.replace('$', '$$') }
}

/** Whether a folder is another one or above it. */
@NonCPS
boolean holds(String folder, String inner) {
    List<String> outer = names(folder)
    return names(inner).take(outer.size()) == outer
}

@NonCPS
private List<String> names(String path) {
    List<String> found = []
    path.tokenize('/').each { name ->
        if (name == '..') {
            found = found.take(found.size() - 1)
        } else if (name != '.') {
            found.add(name)
        }
    }
    return found
}

/** The KEY=VALUE lines before the first empty one. */
@NonCPS
private Map lines(String text) {
    Map found = [:]
    text.split('\n\n')[0].readLines().each { line ->
        int at = line.indexOf('=')
        if (at > 0 && line.substring(at + 1).trim()) {
            found[line.substring(0, at)] = line.substring(at + 1).trim()
        }
    }
    return found
}

@NonCPS
private String logOf(String text) {
    int at = text.indexOf('\n\n')
    return at < 0 ? '' : text.substring(at + 2)
}

@NonCPS
private Map refused(String state) {
    String cause = state == 'busy' ? 'another kanikoBuild runs in this container' :
        'the files of an earlier build could not be removed from this container'
    String fix = state == 'busy' ?
        'builds side by side need a pod each: kanikoBuildAll, or kanikoBuild outside a node' :
        'use a new pod: call kanikoBuild outside a node, or in another node block'
    return [cause: cause, fix: fix, retry: 'never', text: "${cause}\n  fix: ${fix}".toString()]
}

/** As the patterns of diagnoses.json want it. */
@NonCPS
String described(Exception failure) {
    return "${failure.class.simpleName}: ${failure.message}"
}
