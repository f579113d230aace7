#include "io/file.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/status.h"

namespace exitrl {
namespace {

[[noreturn]] void cannot(const char* doing, const std::string& path) {
  fail(ErrorCode::io, std::string("cannot ") + doing + " " + path + ": " + std::strerror(errno));
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

std::atomic<unsigned> next_temporary{0};

}  // namespace

std::string read_file(const std::string& path) {
  const MappedFile file(path);
  std::string text(file.size(), '\0');
  if (!text.empty()) file.read([&] { std::memcpy(text.data(), file.data(), text.size()); });
  file.check_size();
  return text;
}

MappedFile::MappedFile(std::string path) : path_(std::move(path)) {
  fd_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) cannot("open", path_);
  struct stat info{};
  void* mapped = nullptr;
  bool ok = fstat(fd_, &info) == 0;
  if (ok && !S_ISREG(info.st_mode)) {
    errno = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
    ok = false;
  }
  if (ok && info.st_size > 0) {
    mapped = mmap(nullptr, size_t(info.st_size), PROT_READ, MAP_PRIVATE, fd_, 0);
    ok = mapped != MAP_FAILED;
    if (ok) madvise(mapped, size_t(info.st_size), MADV_SEQUENTIAL);
  }
  if (!ok) {
    const int saved = errno;
    close(fd_);
    errno = saved;
    cannot("read", path_);
  }
  data_ = static_cast<const std::byte*>(mapped);
  size_ = size_t(info.st_size);
}

MappedFile::~MappedFile() {
  if (data_) munmap(const_cast<std::byte*>(data_), size_);
  close(fd_);
}

void MappedFile::drop(const std::byte* begin, size_t bytes) const {
  static const auto page = size_t(sysconf(_SC_PAGESIZE));
  // The page at the end may hold the beginning of what is read next; the one at the beginning comes back if it is needed.
  const size_t from = size_t(begin - data_) / page * page, to = size_t(begin - data_ + ptrdiff_t(bytes)) / page * page;
  if (to > from) madvise(const_cast<std::byte*>(data_) + from, to - from, MADV_DONTNEED);
}

void MappedFile::check_size() const {
  struct stat info{};
  if (fstat(fd_, &info) != 0) cannot("read", path_);
  if (size_t(info.st_size) != size_)
    fail(ErrorCode::io, path_ + ": the file changed while it was read: it had " + std::to_string(size_) + " bytes and now has " +
                            std::to_string(info.st_size));
}

void MappedFile::unreadable() const {
  check_size();
  fail(ErrorCode::io, path_ + ": a part of the file cannot be read: is its disk or its network share still there?");
}

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  temporary_ = path_ + ".tmp-" + std::to_string(getpid()) + "-" + std::to_string(next_temporary++);
  fd_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd_ < 0) cannot("write", path_);
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) close(fd_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void AtomicFile::failed(const char* doing) const {
  fail(ErrorCode::io, std::string("cannot ") + doing + " " + path_ + ": " + std::strerror(errno) + "; what was there before is unchanged");
}

void AtomicFile::write(const void* data, size_t bytes) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(fd_, at, std::min(bytes, size_t{1} << 30));
    if (written < 0) {
      if (errno == EINTR) continue;
      failed("write");
    }
    at += written;
    bytes -= size_t(written);
  }
}

void AtomicFile::commit() {
  if (fsync(fd_) != 0) failed("write");
  const int fd = fd_;
  fd_ = -1;
  if (close(fd) != 0) failed("write");
  if (rename(temporary_.c_str(), path_.c_str()) != 0) failed("replace");
  temporary_.clear();
  // The rename itself must survive a power cut. Some file systems cannot sync a folder: nothing to do about it then.
  const int folder = open(folder_of(path_).c_str(), O_RDONLY | O_CLOEXEC);
  if (folder >= 0) {
    fsync(folder);
    close(folder);
  }
}

}  // namespace exitrl
