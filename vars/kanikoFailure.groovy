// What failed -> what it means and what to do, by the table in diagnoses.json. Pure: calls no step.
//
// jenkins_kaniko/explain.py reads the same table; the vectors in tests/vectors keep both alike. Patterns are written
// for both languages: (?d) makes Java end lines at line feeds only, as Python does.

import com.cloudbees.groovy.cps.NonCPS

/**
 * What diagnosis gives, and that for people: cause, fix and link as `whole` above the last lines of the log, and as
 * `text` without them, for an error: where that is shown Jenkins masks no secrets any more. Takes what diagnosis takes.
 */
@NonCPS
Map explained(Map seen, Map table) {
    Map found = diagnosis(seen, table)
    List<String> log = untilLastWord(seen.log)
    List<String> whole = meaning(seen, found, found.said)
    if (log) {
        whole.add('last lines of the log:')
        whole.addAll(log.takeRight(15).collect { '  | ' + it })
    }
    return found + [text: meaning(seen, found, engineError(log)).join('\n'), whole: whole.join('\n')]
}

@NonCPS
private List<String> meaning(Map seen, Map found, String said) {
    List<String> text = [headline(seen)]
    if (found.line) {
        text.add('  at ' + found.line)
    }
    text.add('  cause: ' + found.cause)
    text.add('  fix: ' + found.fix)
    text.add('  see: ' + found.see)
    if (said && said != found.cause) {
        text.add('  the engine said: ' + said)
    }
    return text
}

@NonCPS
private String headline(Map seen) {
    if (seen.exception) {
        return seen.exception
    }
    return seen.exitCode == null ? 'build failed' : "build failed (exit code ${seen.exitCode})".toString()
}

/**
 * The first entry of the table that fits: name, cause, fix, see, retry ('never', 'again', 'less memory'), line (of the
 * Dockerfile) and said (the engine's last word). seen holds log, exitCode, exception (class and message of what a
 * Jenkins step threw; then the log does not count), dockerfile (its text) and its path; each may be null.
 */
@NonCPS
Map diagnosis(Map seen, Map table) {
    List<String> log = untilLastWord(seen.log)
    String said = log ? log.last() : null
    String line = placeOfFailure(log, seen)
    Map texts = seen.exception ? [exception: seen.exception] : [error: engineError(log), log: log.join('\n')]
    return table.diagnoses.findResult { entry ->
        List<String> found = entry.match.findResult { groupsOf(it, texts, seen.exitCode) }
        return found == null ? null : [
            name: entry.name,
            cause: filledIn(entry.cause, found),
            fix: filledIn(entry.fix, found),
            see: entry.see ?: 'docs/failures.md#' + entry.name,
            retry: entry.retry,
            line: line,
            said: said,
        ]
    }
}

@NonCPS
private List<String> groupsOf(Map match, Map texts, exitCode) {
    String text = texts[match.in]
    boolean other = match.exitCode != null && match.exitCode != exitCode
    return text == null || other ? null : groups(text, match.pattern)
}

@NonCPS
private String filledIn(String text, List<String> groups) {
    String result = text
    for (int i = 1; i < groups.size(); i++) {
        result = result.replace('{' + i + '}', groups[i])
    }
    return result
}

// --- the engine's log ------------------------------------------------------------------------------------------------

/** The log without what comes after the engine's last word; a mistake in its arguments it tells before its usage. */
@NonCPS
private List<String> untilLastWord(String log) {
    List<String> lines = linesOf(log ?: '')
    int last = lines.findLastIndexOf { isError(it) }
    int usage = last < 0 ? lines.indexOf('Usage:') : 0
    if (usage > 0 && lines[usage - 1].startsWith('Error: ')) {
        last = usage - 1
    }
    return lines.take(1 + (last < 0 ? lines.findLastIndexOf { it } : last))
}

/** The last word, if it is the engine's own and tells of a failure. */
@NonCPS
private String engineError(List<String> log) {
    return log && (isError(log.last()) || log.last().startsWith('Error: ')) ? log.last() : null
}

/** Kaniko's failures begin so, on a line of their own; what a RUN prints seldom does. */
@NonCPS
private boolean isError(String line) {
    return line =~ '^(?:error (?:building image|pushing image|checking push permissions|resolving relative paths|' +
        'changing to root dir)|kaniko should only|FATA\\[|panic: )'
}

/** Without colours and the blanks at line ends. */
@NonCPS
private List<String> linesOf(String text) {
    String plain = text.replaceAll('\u001B\\[[0-9;]*[A-Za-z]', '')
    return plain.split('\r\n|\r|\n', -1).collect { it.replaceAll('[ \t]+\\z', '') }
}

// --- the Dockerfile's line -------------------------------------------------------------------------------------------

/** Where in the Dockerfile the engine was; the instruction alone if its text is not known; null if it was elsewhere. */
@NonCPS
private String placeOfFailure(List<String> log, Map seen) {
    if (!log || log.last() =~ '^(?:error (?:pushing|checking)|Error: )') {
        return null
    }
    List<List<String>> announced = log.collect { groups(it, announcement()) }.findAll { it }.collect { it.tail() }
    if (!seen.dockerfile) {
        return (announced ? announced.last()[1] : null) ?: null
    }
    int line = failingLine(log.last(), announced, instructions(seen.dockerfile))
    List<String> source = linesOf(seen.dockerfile)
    return line in 1..source.size() ? "${seen.path}:${line}: ${unindented(source[line - 1])}".toString() : null
}

/** What Kaniko logs before it works on a stage (group 1, the base image) or an instruction (group 2). */
@NonCPS
private String announcement() {
    return '^INFO\\[[^\\]]+\\] (?:Retrieving image manifest (.*)|((?i:ADD|COPY|RUN|USER|WORKDIR|ENV|VOLUME) .*))'
}

/** The line that the engine names, or that takes what it misses, or that it announced last; 0 if none. */
@NonCPS
private int failingLine(String said, List<List<String>> announced, List<Map> instructions) {
    List<String> named = groups(said, 'parse error on lines? (\\d+)')
    if (named) {
        return named[1] as int
    }
    List<String> missing = groups(said, 'l?stat .*?([^/]+): no such file')
    if (missing) {
        Map taking = instructions.find { it.text =~ '^(?i:COPY|ADD)\\s' && it.text.contains(missing[1]) }
        return taking ? taking.line : 0
    }
    if (!announced || said.contains('failed to optimize instructions')) {
        return 0
    }
    List<String> last = announced.last()
    List<Map> same = instructions.findAll { isAnnounced(it.text, last) }
    // the same instruction may stand in several stages
    int times = announced.findAll { it == last }.size()
    return same ? same[Math.min(times, same.size()) - 1].line : 0
}

@NonCPS
private boolean isAnnounced(String instruction, List<String> announced) {
    if (announced[1]) {
        return compact(instruction) == compact(announced[1])
    }
    List<String> base = groups(instruction, '^(?i:FROM)\\s+(?:--platform=\\S+\\s+)?([^\\s$]*)(\\$?)')
    return base && (base[2] ? announced[0].startsWith(base[1]) : announced[0] == base[1])
}

/** The instructions of a Dockerfile, continued lines joined, each with the line that it begins at. */
@NonCPS
private List<Map> instructions(String dockerfile) {
    List<Map> found = []
    boolean goesOn = false
    linesOf(dockerfile).eachWithIndex { line, index ->
        String text = unindented(line)
        if (!text || text.startsWith('#')) {
            return
        }
        if (goesOn) {
            found.last().text += ' ' + text
        } else {
            found.add([line: index + 1, text: text])
        }
        goesOn = text.endsWith('\\')
    }
    return found
}

@NonCPS
private String unindented(String line) {
    return line.replaceAll('^[ \t]+', '')
}

@NonCPS
private String compact(String instruction) {
    return instruction.replaceAll('[\\\\ \t]+', '')
}

/** The groups of the first match, the whole of it first; null without one. */
@NonCPS
private List<String> groups(String text, String pattern) {
    def matcher = text =~ '(?d)' + pattern
    return matcher.find() ? (0..matcher.groupCount()).collect { matcher.group(it) ?: '' } : null
}
