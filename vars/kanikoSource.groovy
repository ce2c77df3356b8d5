// Where the build context comes from: the job's source on a new agent, the files of another node, or a URL.

import com.cloudbees.groovy.cps.NonCPS

/** Before an agent is asked for: on a node its files are kept for the agent, elsewhere the job's source will be. */
Map kept(Map options) {
    if (kanikoArguments.isRemote(options.context)) {
        return [kind: 'url']
    }
    if (env.NODE_NAME == null) {
        return [kind: 'job', scm: sourceOfJob()]
    }
    String name = "kaniko-${UUID.randomUUID()}"
    dir(options.context) {
        stash(name: name, useDefaultExcludes: false, allowEmpty: true)
    }
    String dockerfile = options.dockerfile ?: 'Dockerfile'
    boolean outside = dockerfile.startsWith('/') || dockerfile.contains('..')
    String path = outside ? kanikoArguments.dockerfile(options, [workspace: pwd()]) : null
    return [kind: 'stash', name: name, labels: labels(options),
            dockerfile: path ? readFile(file: path, encoding: 'UTF-8') : null]
}

private def sourceOfJob() {
    try {
        return scm
    } catch (Exception none) {
        error("kanikoBuild: outside a node the step checks out the job's own source, and this job has none. " +
            "Call it inside node('kaniko') { ... } with the files there, or give a URL as context")
    }
}

/** On the new agent. Returns the options for there. */
Map brought(Map options, Map source) {
    if (source.kind == 'job') {
        checkout(source.scm)
    }
    if (source.kind != 'stash') {
        return options
    }
    boolean below = !options.context.startsWith('/') && !options.context.contains('..')
    Map there = options + [context: below ? options.context : 'context', labels: source.labels + options.labels]
    dir(there.context) {
        unstash(source.name)
    }
    if (source.dockerfile != null) {
        there.dockerfile = "${pwd(tmp: true)}/Dockerfile".toString()
        writeFile(file: there.dockerfile, text: source.dockerfile, encoding: 'UTF-8')
    }
    return there
}

/** The archive of an image that is not pushed must outlive the agent: back to the node, or to the build's page. */
void handedOver(Map outcome, Map source) {
    String archive = outcome.result?.archive
    if (archive && source.kind == 'stash') {
        stash(name: "${source.name}-archive", includes: archive)
    } else if (archive) {
        archiveArtifacts(artifacts: archive)
    }
}

/** On the node that the build was called on. */
void fetched(Map outcome, Map source) {
    if (outcome.result?.archive && source.kind == 'stash') {
        unstash("${source.name}-archive")
    }
}

/** What the context's git repository tells of itself, as labels of the OCI image specification. */
Map labels(Map options) {
    if (kanikoArguments.isRemote(options.context)) {
        return [:]
    }
    String git = "git -C ${kanikoBuilder.quoted(options.context)}"
    String commit = "${git} log -1 --format='%H %cI' 2>/dev/null"
    String script = "set +x; ${commit} && ${git} config --get remote.origin.url || true"
    if (env.POD_CONTAINER == null) {
        return labelsOf(sh(label: 'kanikoBuild: commit', returnStdout: true, script: script))
    }
    String printed = ''
    container('jnlp') {
        printed = sh(label: 'kanikoBuild: commit', returnStdout: true, script: script)
    }
    return labelsOf(printed)
}

@NonCPS
private Map labelsOf(String printed) {
    List<String> lines = printed.readLines()
    if (!lines) {
        return [:]
    }
    Map labels = ['org.opencontainers.image.revision': lines[0].tokenize(' ')[0],
                  'org.opencontainers.image.created': lines[0].tokenize(' ')[1]]
    // a token in the URL of a clone is no business of those who pull the image
    return lines.size() < 2 ? labels :
        labels + ['org.opencontainers.image.source': lines[1].replaceFirst('^([a-z+]+://)[^/]*@', '$1')]
}
