package pipeline

import hudson.AbortException
import java.nio.file.Files
import java.nio.file.Path

/** stash and unstash: files on their way from one agent to another, kept beside this process meanwhile. */
class StashSteps {
    private static final List<String> DEFAULT_EXCLUDES = patterns('**/*~ **/#*# **/.#* **/%*% **/._* **/CVS/** **/.svn/** ' +
        '**/.git **/.git/** **/.gitattributes **/.gitignore **/.gitmodules **/.hg/** **/.DS_Store')

    private final Build build
    private final Map<String, File> stashes = Collections.synchronizedMap([:])

    StashSteps(Build build) { this.build = build }

    @Step(value = ['name', 'includes', 'excludes', 'useDefaultExcludes', 'allowEmpty'], needs = 'hudson.FilePath')
    void stash(StepCall call) {
        File folder = Files.createTempDirectory('stash').toFile()
        build.cluster.download(call.context.agent, call.context.folder, folder)
        List<String> excludes = patterns(call.text('excludes')) + (call.args.useDefaultExcludes == false ? [] : DEFAULT_EXCLUDES)
        int kept = keep(folder.toPath(), patterns(call.text('includes') ?: '**'), excludes)
        if (!kept && !call.flag('allowEmpty')) {
            throw new AbortException("No files included in stash ‘${call.text('name')}’")
        }
        build.log.line("Stashed $kept file(s)")
        stashes.put(call.text('name'), folder)?.deleteDir()
    }

    @Step(value = 'name', needs = 'hudson.FilePath')
    void unstash(StepCall call) {
        File folder = stashes[call.text('name')]
        if (!folder) {
            throw new AbortException("No such saved stash ‘${call.text('name')}’")
        }
        build.cluster.upload(call.context.agent, folder, call.context.folder)
    }

    /** Removes what is not wanted, and the folders this leaves empty. */
    private static int keep(Path root, List<String> includes, List<String> excludes) {
        int kept = 0
        List<Path> paths = Files.walk(root).iterator().toList()
        paths.reverse().each { Path path ->
            String name = root.relativize(path).toString()
            boolean folder = Files.isDirectory(path) && !Files.isSymbolicLink(path)
            boolean wanted = folder ? path.toFile().list() as boolean
                : includes.any { name ==~ it } && !excludes.any { name ==~ it }
            if (!wanted && path != root) {
                Files.delete(path)
            }
            kept += wanted && !folder ? 1 : 0
        }
        return kept
    }

    /** Ant's patterns as regular expressions. */
    private static List<String> patterns(String list) {
        return (list ?: '').tokenize(', ').collect { regex(it.endsWith('/') ? "$it**" : it) }
    }

    private static String regex(String pattern) {
        return pattern.replaceAll(/\*\*\/|\/\*\*$|\*\*|\*|\?|[.+^$(){}|\[\]\\]/) { String part ->
            [('**/'): '(?:.*/)?', ('/**'): '(?:/.*)?', ('**'): '.*', ('*'): '[^/]*', ('?'): '[^/]'][part] ?: "\\$part"
        }
    }
}
