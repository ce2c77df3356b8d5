// What a failed build says: the engine's own last word, and the line of the Dockerfile that it was at. Pure.

import com.cloudbees.groovy.cps.NonCPS

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
