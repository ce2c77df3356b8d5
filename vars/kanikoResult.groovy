// What a good build is told as: the map that the step returns, one line of log, the build's description, a file.

import com.cloudbees.groovy.cps.NonCPS
import groovy.json.JsonOutput
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

/** The map that the step returns: texts, and lists of texts. Values that do not exist have no key. */
@NonCPS
Map made(Map target, Map options, Map place, Map report, long milliseconds) {
    Map result = target + [
        digest: report.digest,
        engine: options.engine ?: 'kaniko',
        seconds: milliseconds.intdiv(1000).toString(),
        cacheHits: report.cacheHits,
        cacheMisses: report.cacheMisses,
    ]
    if (options.push) {
        result.ref = target.image + '@' + report.digest
    } else {
        result.archive = place.archive.tokenize('/').last()
    }
    if (report.firstMiss) {
        result.firstMiss = report.firstMiss
    }
    String commit = (place.labels + options.labels)['org.opencontainers.image.revision']
    if (commit) {
        result.commit = commit
    }
    return result
}

/** In the builder's node: the line, the description, and kaniko-build.json among the build's artifacts. */
void told(Map result) {
    String done = result.ref ? "pushed ${result.ref}" : "wrote ${result.archive}"
    echo("kanikoBuild: ${done} in ${result.seconds} s${cacheLine(result)}")
    String line = "${result.image}:${result.tags.join(', ')} ${result.digest}"
    currentBuild.description = currentBuild.description ? "${currentBuild.description}\n${line}" : line
    try {
        archive(result)
    } catch (FlowInterruptedException stopped) {
        throw stopped
    } catch (Exception failure) {
        echo("kanikoBuild: the image is there, but kaniko-build.json was not archived: ${failure.message}")
    }
}

/** A file each: several builds in one run would otherwise overwrite each other's. */
private void archive(Map result) {
    int number = env.KANIKO_BUILD_FILE ? env.KANIKO_BUILD_FILE.toInteger() : reserved(1)
    String name = number == 1 ? 'kaniko-build.json' : "kaniko-build-${number}.json"
    dir("${pwd(tmp: true)}/kaniko-result-${UUID.randomUUID()}") {
        writeFile(file: name, text: json(result), encoding: 'UTF-8')
        archiveArtifacts(artifacts: name)
        deleteDir()
    }
}

/** The first of so many numbers of files that nobody else in this run gets. */
int reserved(int count) {
    int before = (env.KANIKO_BUILD_FILES ?: '0').toInteger()
    env.KANIKO_BUILD_FILES = (before + count).toString()
    return before + 1
}

@NonCPS
private String cacheLine(Map result) {
    if (result.cacheHits == '0' && result.cacheMisses == '0') {
        return ''
    }
    String first = result.firstMiss ? ", the first at: ${result.firstMiss}" : ''
    return "; cache: ${result.cacheHits} hits, ${result.cacheMisses} misses${first}"
}

@NonCPS
private String json(Map result) {
    return JsonOutput.prettyPrint(JsonOutput.toJson([schemaVersion: 1] + result)) + '\n'
}
