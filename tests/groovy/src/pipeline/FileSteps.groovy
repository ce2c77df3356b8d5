package pipeline

import hudson.AbortException
import java.nio.file.*
import org.apache.tools.ant.DirectoryScanner

/** Programs of this machine: git and tar, for what a controller has code of its own. */
class Host {
    static String run(List<String> command) {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start()
        String output = process.inputStream.getText('UTF-8').trim()
        if (process.waitFor()) { throw new AbortException("${command.join(' ')}: $output") }
        return output
    }
}

/** Steps that read and write files through the agent, as its user; stashes and artifacts are kept on this machine. */
class FileSteps {
    private static final String NEEDS = 'hudson.FilePath'
    private final Build build = Build.current
    private final Map<String, File> stashes = Collections.synchronizedMap([:])

    /** Without `.` and `..`, as Jenkins' own paths. */
    static String resolve(Context context, String path) {
        return Paths.get(context.folder).resolve(path).normalize().toString()
    }

    /** Reads just as many bytes as there are: the end of the input cannot be told over this connection. */
    static void write(Agent agent, String path, byte[] bytes) {
        String script = 'mkdir -p "${2%/*}" && head -c "$1" > "$2"'
        Build.current.cluster.run(agent, script, [bytes.length.toString(), path], new ByteArrayInputStream(bytes))
    }

    @Step(value = 'tmp', needs = FileSteps.NEEDS)
    String pwd(StepCall call) { call.flag('tmp') ? "$call.context.folder@tmp" : call.context.folder }

    @Step(needs = FileSteps.NEEDS)
    void deleteDir(StepCall call) { build.cluster.run(call.context.agent, 'rm -rf "$1"', [call.context.folder]) }

    @Step(value = ['file', 'text', 'encoding'], needs = FileSteps.NEEDS)
    void writeFile(StepCall call) {
        byte[] bytes = call.text('text').getBytes(call.text('encoding') ?: 'UTF-8')
        write(call.context.agent, resolve(call.context, call.text('file')), bytes)
    }

    @Step(value = ['file', 'encoding'], needs = FileSteps.NEEDS)
    String readFile(StepCall call) {
        String path = resolve(call.context, call.text('file'))
        if (!fileExists(call)) { throw new NoSuchFileException(path) }
        return new String(build.cluster.run(call.context.agent, 'cat "$1"', [path]), call.text('encoding') ?: 'UTF-8')
    }

    @Step(value = 'file', needs = FileSteps.NEEDS)
    boolean fileExists(StepCall call) {
        List<String> path = [resolve(call.context, call.text('file'))]
        return build.cluster.run(call.context.agent, 'if [ -e "$1" ]; then echo yes; fi', path)
    }

    /** A clone with its .git, detached at the commit as Jenkins leaves it. */
    @Step(value = 'scm', needs = FileSteps.NEEDS)
    Map<String, String> checkout(StepCall call) {
        if (!(call.args.scm instanceof Scm)) {
            throw new UnsupportedOperationException('the pipeline runner checks out scm only')
        }
        String source = new File(build.options.scm).absolutePath
        return withFolder { File clone ->
            Host.run(['git', 'clone', '--quiet', '--no-hardlinks', source, clone.path])
            Closure git = { String... words -> Host.run(['git', '-C', clone.path, *words]) }
            String branch = git('rev-parse', '--abbrev-ref', 'HEAD')
            git('checkout', '--quiet', '--detach')
            build.cluster.upload(call.context.agent, clone, call.context.folder)
            [GIT_COMMIT: git('rev-parse', 'HEAD'), GIT_URL: source, GIT_BRANCH: "origin/$branch".toString()]
        }
    }

    @Step(value = ['name', 'includes', 'excludes', 'useDefaultExcludes', 'allowEmpty'], needs = FileSteps.NEEDS)
    void stash(StepCall call) {
        File folder = Files.createTempDirectory('stash').toFile()
        int count = fetch(call, call.text('includes') ?: '**', folder)
        String name = call.text('name')
        if (!count && !call.args.allowEmpty) { throw new AbortException("No files included in stash ‘${name}’") }
        build.log.line("Stashed $count file(s)")
        stashes.put(name, folder)?.deleteDir()
    }

    @Step(value = 'name', needs = FileSteps.NEEDS)
    void unstash(StepCall call) {
        File folder = stashes[call.text('name')]
        if (!folder) { throw new AbortException("No such saved stash ‘${call.args.name}’") }
        build.cluster.upload(call.context.agent, folder, call.context.folder)
    }

    @Step(value = ['artifacts', 'allowEmptyArchive', 'excludes', 'fingerprint'], needs = FileSteps.NEEDS)
    void archiveArtifacts(StepCall call) {
        build.log.line('Archiving artifacts')
        String job = "jobs/${build.options.job.replace('/', '/jobs/')}"
        File archive = new File(build.options.home, "$job/builds/$build.options.number/archive")
        String nothing = "No artifacts found that match the file pattern \"$call.args.artifacts\". Configuration error?"
        if (!fetch(call, call.text('artifacts'), archive)) {
            if (!call.flag('allowEmptyArchive')) { throw new AbortException(nothing) }
            build.log.line(nothing)
        }
    }

    /** Copies the agent's files that Ant's patterns choose to this machine; returns how many. */
    private int fetch(StepCall call, String includes, File target) {
        return withFolder { File all ->
            build.cluster.download(call.context.agent, call.context.folder, all)
            DirectoryScanner scanner = new DirectoryScanner(basedir: all, includes: includes.tokenize(', ') as String[],
                excludes: (call.text('excludes') ?: '').tokenize(', ') as String[], followSymlinks: false)
            if (call.args.useDefaultExcludes != false) { scanner.addDefaultExcludes() }
            scanner.scan()
            scanner.includedFiles.each { String name ->
                File copy = new File(target, name)
                copy.parentFile.mkdirs()
                Files.copy(new File(all, name).toPath(), copy.toPath(), StandardCopyOption.COPY_ATTRIBUTES,
                    StandardCopyOption.REPLACE_EXISTING)
            }
            scanner.includedFilesCount
        }
    }

    private static Object withFolder(Closure body) {
        File folder = Files.createTempDirectory('runner').toFile()
        try {
            return body(folder)
        } finally {
            folder.deleteDir()
        }
    }
}
