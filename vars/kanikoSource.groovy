// Where the build context comes from: the job's source on a new agent, the files of another node, or a URL.

import com.cloudbees.groovy.cps.NonCPS

/**
 * Before an agent is asked for: on a node its files are kept for the agent, elsewhere the job's source will be.
 * Returns kind (url, job or stash), what brought() takes of it, and on a node name: what stashes begin with.
 */
Map kept(Map options) {
    boolean isRemote = kanikoArguments.isRemote(options.context)
    if (env.NODE_NAME == null) {
        return isRemote ? [kind: 'url'] : [kind: 'job', scm: sourceOfJob()]
    }
    Map source = [name: "kaniko-${UUID.randomUUID()}".toString()]
    return source + (isRemote ? [kind: 'url'] : stashed(options, source.name))
}

private Map stashed(Map options, String name) {
    String dockerfile = options.dockerfile ?: 'Dockerfile'
    String ignored = ''
    dir(options.context) {
        List<String> ignoreFiles = ["${dockerfile}.dockerignore".toString(), '.dockerignore']
        String file = fileExists(ignoreFiles[0]) ? ignoreFiles[0] : ignoreFiles[1]
        ignored = fileExists(file) ? readFile(file: file, encoding: 'UTF-8') : ''
        stash(name: name, excludes: excludes(ignored), useDefaultExcludes: false, allowEmpty: true)
        // the engine needs these, whatever the file says; patterns that exclude win over those that include
        String always = pathsForAnt([dockerfile] + ignoreFiles)
        stash(name: "${name}-dockerfile", includes: always, useDefaultExcludes: false, allowEmpty: true)
    }
    boolean outside = dockerfile.startsWith('/') || dockerfile.contains('..')
    String path = outside ? kanikoArguments.dockerfile(options, [workspace: pwd()]) : null
    return [kind: 'stash', labels: labels(options), ignored: ignored,
            dockerfile: path ? readFile(file: path, encoding: 'UTF-8') : null]
}

/** Ant matches no path with a dot for a folder in it. */
@NonCPS
private String pathsForAnt(List<String> paths) {
    return paths.collect { path -> path.tokenize('/').findAll { it != '.' }.join('/') }.join(',')
}

/**
 * What a .dockerignore file leaves out, as Ant's patterns: less than all of it where they cannot say it, never more.
 * The engine goes by the file too, so what is sent in vain is in no image.
 */
@NonCPS
String excludes(String text) {
    List<List<String>> found = []
    text.replaceFirst('^\uFEFF', '').tokenize('\n').each { line ->
        String pattern = line.startsWith('#') ? '' : line.trim()
        boolean isException = pattern.startsWith('!')
        List<String> parts = (isException ? pattern.substring(1).trim() : pattern).tokenize('/').findAll { it != '.' }
        if (isException) {
            found = found.findAll { !mayMeet(it, parts) }
        } else if (parts && parts.every { isAlikeInAnt(it) }) {
            found.add(parts)
        }
    }
    // a pattern means all below it too, and one that ends in two stars nothing but that
    return found.collect { it.join('/') + (it.last() == '**' ? '/*' : '/**') }.join(',')
}

/** Blanks and commas separate Ant's patterns, brackets and backslashes mean nothing there. */
@NonCPS
private boolean isAlikeInAnt(String part) {
    return part == '**' || (part ==~ /[^\s,\[\]\\]+/ && part != '..' && !part.contains('**'))
}

/** Whether a path may match both patterns, by a folder above it too: unless plain names at their beginning differ. */
@NonCPS
private boolean mayMeet(List<String> one, List<String> other) {
    int common = Math.min(one.size(), other.size())
    for (int index = 0; index < common; index++) {
        if (isWild(one[index]) || isWild(other[index])) {
            return true
        }
        if (one[index] != other[index]) {
            return false
        }
    }
    return true
}

@NonCPS
private boolean isWild(String part) {
    return part ==~ /.*[*?\[\\].*/ || part == '..'
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
        deleteDir() // an agent that is used again, or a workspace that stays, has the files of an earlier build
        unstash(source.name)
        unstash("${source.name}-dockerfile")
    }
    if (source.dockerfile != null) {
        there.dockerfile = "${pwd(tmp: true)}/Dockerfile".toString()
        writeFile(file: there.dockerfile, text: source.dockerfile, encoding: 'UTF-8')
        // its own ignore file may be outside the context too
        writeFile(file: "${there.dockerfile}.dockerignore", text: source.ignored, encoding: 'UTF-8')
    }
    return there
}

/** The archive of an image that is not pushed must outlive the agent: back to the node, or to the build's page. */
void handedOver(Map outcome, Map source) {
    String archive = outcome.result?.archive
    if (archive && source.name) {
        stash(name: "${source.name}-archive", includes: archive)
    } else if (archive) {
        archiveArtifacts(artifacts: archive)
    }
}

/** On the node that the build was called on. */
void fetched(Map outcome, Map source) {
    if (outcome.result?.archive && source.name) {
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
